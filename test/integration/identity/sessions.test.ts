/** Sessions of the console: what they are worth and when they end, and what another page or a thief would try with their cookie. */
import { hash } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import type { PersonConfig, Role } from '../../../src/config/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { createIdentity, type Identity, newSecret } from '../../../src/identity/index.ts';
import { addEvents } from '../../../src/incident/index.ts';
import { anyDatabase, databases } from '../../real-parts/databases.ts';
import { allEvents } from '../support/events.ts';
import { startNightshift, type TestNightshift } from '../support/nightshift.ts';

const PEOPLE: readonly PersonConfig[] = [
  { name: 'ada', role: 'admin', email: 'ada@example.com' },
  { name: 'vic', role: 'viewer' },
];

describe.each(databases)('a session ($name)', ({ name: kind, open }) => {
  let db: Database;
  let identity: Identity;
  const directory = (people: readonly PersonConfig[] = PEOPLE) =>
    createIdentity({ db, people, record: (event) => addEvents(db, null, [event]) });
  const token = (name: string, role: Role, person = name) => ({ name, person, role, secret: newSecret() });
  const opened = { client: 'Firefox', hours: 12 };
  const ofIssuer = (person: string, role: Role) => identity.openSession({ person, role, token: null, ...opened });
  const ofToken = async (given: ReturnType<typeof token>) => {
    await identity.addToken(given, 'root');
    const { person, role, name, secret } = given;
    return identity.openSession({ person, role, token: { name, secret }, ...opened });
  };
  const last = async () => {
    const { type, actor, data } = (await allEvents(db)).at(-1) ?? {};
    return { type, actor, data };
  };

  beforeAll(async () => {
    db = await open();
  });
  afterAll(() => db?.close());
  beforeEach(async () => {
    await db.q.deleteFrom('session').execute();
    await db.q.deleteFrom('token').execute();
    identity = directory();
  });

  it('is stored by its hash alone, is good for whatever replica is asked, and leaves an event', async () => {
    const { secret, session, principal } = await ofIssuer('ada', 'admin');
    expect(secret).toMatch(/^nst_[\w-]{43}$/);
    expect(principal).toEqual({ name: 'ada', role: 'admin' });
    expect(session.expiresAt.getTime() - session.createdAt.getTime()).toBeCloseTo(12 * 3_600_000, -3);
    expect(await directory().ofSession(secret)).toEqual({ principal, session });
    const { id } = session;
    const data = { session: id, person: 'ada', role: 'admin', via: 'oidc', client: 'Firefox' };
    expect(await last()).toEqual({ type: 'session.opened', actor: 'ada', data });
    const rows = await db.q.selectFrom('session').selectAll().execute();
    expect(JSON.stringify([rows, await allEvents(db), await identity.listSessions(null)])).not.toContain(secret);
    expect(rows).toMatchObject([{ sha256: hash('sha256', secret) }]);
    // One is not the other.
    expect(await identity.ofToken(secret)).toBeNull();
    const ada = token('ada', 'admin');
    await identity.addToken(ada, 'root');
    expect(await identity.ofSession(ada.secret)).toBeNull();
  });

  it('is worth what its person is now, and never more than when it was opened', async () => {
    const { secret } = await ofIssuer('ada', 'admin');
    const role = async (people: readonly PersonConfig[], of = secret) =>
      (await directory(people).ofSession(of))?.principal.role ?? null;
    expect(await role([{ name: 'ada', role: 'approver' }])).toBe('approver');
    expect(await role([{ name: 'Ada', role: 'viewer' }])).toBe('viewer');
    expect(await role(PEOPLE)).toBe('admin');
    const modest = await ofIssuer('vic', 'viewer');
    expect(await role([{ name: 'vic', role: 'admin' }], modest.secret)).toBe('viewer');
    const listed = await directory([{ name: 'ada', role: 'approver' }]).listSessions(null);
    expect(listed).toMatchObject([{ person: 'ada', role: 'approver' }]);
  });

  it('by an issuer ends with its person in people:, and one by a token goes on as the token does', async () => {
    const [byIssuer, byToken] = [await ofIssuer('ada', 'admin'), await ofToken(token('ada', 'approver'))];
    const nobody = directory([]);
    expect(await nobody.ofSession(byIssuer.secret)).toBeNull();
    expect(await nobody.ofSession(byToken.secret)).toMatchObject({ principal: { role: 'approver', token: 'ada' } });
    await expect(nobody.openSession({ person: 'ada', role: 'admin', token: null, ...opened })).rejects.toThrow(
      'not in people:',
    );
  });

  it('ends with the token that it was opened with', async () => {
    const [laptop, phone] = [
      await ofToken(token('laptop', 'admin', 'ada')),
      await ofToken(token('phone', 'admin', 'ada')),
    ];
    expect((await identity.ofSession(laptop.secret))?.principal.token).toBe('laptop');
    await identity.revokeToken('laptop', 'root');
    expect(await identity.ofSession(laptop.secret)).toBeNull();
    expect(await identity.ofSession(phone.secret)).not.toBeNull();
    expect(await identity.listSessions(null)).toHaveLength(1);
  });

  it('ends when another secret takes the place of its token', async () => {
    const [leaked, fresh] = [token('admin', 'admin'), token('admin', 'admin')];
    await identity.setToken(leaked);
    const { secret } = await identity.openSession({
      ...{ person: 'admin', role: 'admin', ...opened },
      token: { name: 'admin', secret: leaked.secret },
    });
    await identity.setToken(fresh);
    // On a served Postgres a replica's new file is added, and the old one is good until it is revoked.
    const isReplaced = kind === 'embedded';
    expect((await identity.ofToken(leaked.secret)) === null).toBe(isReplaced);
    expect((await identity.ofSession(secret)) === null).toBe(isReplaced);
  });

  it('ends once, by whom it is and by who may', async () => {
    const { secret, session } = await ofIssuer('ada', 'admin');
    const end = (of: string | null) => identity.endSession({ id: session.id, by: 'vic', of });
    await expect(end('vic')).rejects.toMatchObject({ code: 'not_found' });
    expect(await identity.ofSession(secret)).not.toBeNull();
    await end('ADA');
    expect(await identity.ofSession(secret)).toBeNull();
    const data = { session: session.id, person: 'ada', via: 'oidc', client: 'Firefox' };
    expect(await last()).toEqual({ type: 'session.ended', actor: 'vic', data });
    await expect(end(null)).rejects.toMatchObject({ code: 'not_found' });
    expect(await identity.listSessions(null)).toEqual([]);
  });

  it('ends by itself, and is forgotten a day later when somebody signs in', async () => {
    const { secret, session } = await ofIssuer('ada', 'admin');
    await sql`update session set expires_at = now() - interval '1 second'`.execute(db.q);
    expect(await identity.ofSession(secret)).toBeNull();
    expect(await identity.listSessions('ada')).toEqual([]);
    await expect(identity.endSession({ id: session.id, by: 'ada', of: null })).rejects.toMatchObject({
      code: 'not_found',
    });
    await ofIssuer('ada', 'admin');
    const ids = async () => (await db.q.selectFrom('session').select('id').execute()).map(({ id }) => id);
    expect(await ids()).toContain(session.id);
    await sql`update session set expires_at = now() - interval '25 hours' where id = ${session.id}`.execute(db.q);
    await ofIssuer('ada', 'admin');
    expect(await ids()).not.toContain(session.id);
    expect(await ids()).toHaveLength(2);
  });

  it('is noted as used once a minute at most', async () => {
    const { secret } = await ofIssuer('ada', 'admin');
    const written = async () => (await sql`select xmin::text as by from session`.execute(db.q)).rows[0];
    const first = await written();
    for (let time = 0; time < 3; time += 1) await identity.ofSession(secret);
    expect(await written()).toEqual(first);
    await sql`update session set last_seen_at = now() - interval '61 seconds'`.execute(db.q);
    await identity.ofSession(secret);
    const { last_seen_at: seen } = await db.q.selectFrom('session').select('last_seen_at').executeTakeFirstOrThrow();
    expect((await db.now()).getTime() - seen.getTime()).toBeLessThan(30_000);
  });
});

describe.each(anyDatabase)('the console’s door ($name)', ({ name }) => {
  let nightshift: TestNightshift;
  const tokens: Record<string, string> = {};

  beforeAll(async () => {
    nightshift = await startNightshift({
      database: name,
      config: { people: [...PEOPLE, { name: 'ben', role: 'approver' }], console: { sessionHours: 3 } },
    });
    for (const [person, role] of [
      ['ada', 'admin'],
      ['ben', 'approver'],
      ['vic', 'viewer'],
    ] as const) {
      const { body } = await nightshift.api<{ secret: string }>('/tokens', { name: person, role });
      tokens[person] = body.secret;
    }
  });
  afterAll(() => nightshift?.stop());

  const call = async (method: string, path: string, headers: Record<string, string> = {}, body?: unknown) => {
    const answer = await fetch(`${nightshift.app.url}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const json = text === '' ? null : (JSON.parse(text) as Record<string, unknown>);
    return { status: answer.status, headers: answer.headers, cookies: answer.headers.getSetCookie(), body: json };
  };
  let hers: Awaited<ReturnType<typeof signIn>> | undefined;
  const ours = () => ({ 'x-nightshift-csrf': '1', origin: nightshift.app.url });
  const signIn = async (person: string, headers: Record<string, string> = {}) => {
    const answer = await call('POST', '/api/v1/session', headers, { token: tokens[person] });
    const cookie = /^[^;]+/.exec(answer.cookies[0] ?? '')?.[0] ?? '';
    return { ...answer, cookie, id: String(answer.body?.id) };
  };
  const ask = (cookie: string, path = '/session', method = 'GET', headers = {}, body?: unknown) =>
    call(method, `/api/v1${path}`, { cookie, ...headers }, body);

  it('opens for a personal token, with a cookie that no script can read and no other page sends', async () => {
    const { status, body, cookies, headers, cookie } = await signIn('ben', { 'user-agent': 'Fire\u00adfox' });
    expect([status, body]).toEqual([
      200,
      {
        ...{ person: 'ben', role: 'approver', via: 'token', id: expect.stringMatching(/^[0-9a-f]{16}$/) },
        ...{ createdAt: expect.any(String), expiresAt: expect.any(String) },
      },
    ]);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(cookies).toEqual([
      expect.stringMatching(
        /^nightshift_session=nst_[\w-]{43}; Max-Age=10800; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/,
      ),
    ]);
    expect(await ask(cookie)).toMatchObject({ status: 200, body });
    expect(await ask(cookie, '/incidents')).toMatchObject({ status: 200, body: { incidents: [] } });
    // What a proxy before it asks for is nothing to us.
    expect(await ask(cookie, '/session', 'GET', { authorization: 'Basic YTpi' })).toMatchObject({ status: 200, body });
    const { headers: shown, body: listed } = await ask(cookie, '/sessions');
    expect([shown.get('cache-control'), shown.get('x-content-type-options')]).toEqual(['no-store', 'nosniff']);
    const more = { lastSeenAt: expect.any(String), client: 'Fire fox', current: true };
    expect(listed).toEqual({ sessions: [{ ...body, ...more }], next: null });
    expect(await call('GET', '/api/v1/session/options')).toMatchObject({ body: { oidc: null, token: true } });
  });

  it('binds the cookie to https where the browser speaks https', async () => {
    const https = { 'x-forwarded-proto': 'https' };
    const { cookies, cookie } = await signIn('ben', https);
    expect(cookies).toEqual([expect.stringMatching(/^__Host-nightshift_session=nst_.*; Secure; SameSite=Strict$/)]);
    expect((await ask(cookie, '/session', 'GET', https)).status).toBe(200);
    expect((await ask(cookie.replace('__Host-', ''), '/session', 'GET', https)).status).toBe(401);
  });

  it('stays shut for anything else', async () => {
    for (const token of ['', 'nst_wrong', (await signIn('ada')).cookie.split('=')[1]])
      expect([400, 401]).toContain((await call('POST', '/api/v1/session', {}, { token })).status);
    expect((await call('GET', '/api/v1/session')).status).toBe(401);
    expect((await ask('nightshift_session=nst_wrong')).status).toBe(401);
    expect((await ask(`nightshift_session=${tokens.ada}`)).status).toBe(401);
    const { cookie } = await signIn('ada');
    // Who says who they are by a token is not taken for somebody else.
    expect((await ask(cookie, '/incidents', 'GET', { authorization: 'Bearer nst_wrong' })).status).toBe(401);
    const asBen = { authorization: `Bearer ${tokens.ben}` };
    expect((await ask(cookie, '/tokens', 'GET', asBen)).status).toBe(403);
    expect((await ask(cookie, '/session', 'GET', asBen)).status).toBe(401);
  });

  it('lets its own page change things, and says in the story that it was the console', async () => {
    const { cookie } = await signIn('ben');
    const paused = await ask(cookie, '/kill-switch', 'POST', ours(), { engaged: true, reason: 'x' });
    expect(paused).toMatchObject({
      status: 200,
      body: { engaged: true, why: expect.stringMatching(/ben .* via console/) },
    });
    // What the client says of itself changes nothing about that.
    const asCli = { ...ours(), 'x-nightshift-client': 'cli' };
    await ask(cookie, '/kill-switch', 'POST', asCli, { engaged: true, reason: 'y' });
    const { body } = await ask(cookie, '/kill-switch');
    expect(body?.why).toMatch(/via console: y/);
    const away = { 'sec-fetch-site': 'same-origin', 'x-nightshift-csrf': '1', origin: 'null' };
    expect((await ask(cookie, '/kill-switch', 'POST', away, { engaged: false })).status).toBe(200);
  });

  it.each([
    ['no header', { 'x-nightshift-csrf': undefined }],
    ['another header', { 'x-nightshift-csrf': '0' }],
    ['a foreign origin', { origin: 'https://evil.example' }],
    ['an origin with our host in it', { origin: 'http://127.0.0.1.evil.example' }],
    ['our host at another port', { origin: 'http://127.0.0.1:1' }],
    ['an origin that has none', { origin: 'null' }],
    ['no origin', { origin: undefined }],
    ['a browser that says cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['a browser that says same-site', { 'sec-fetch-site': 'same-site' }],
  ])('changes nothing for another page: %s', async (_what, change) => {
    hers ??= await signIn('ada');
    const { cookie, id } = hers;
    const headers = Object.fromEntries(
      Object.entries({ ...ours(), ...change }).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    );
    for (const [method, path, body] of [
      ['POST', '/tokens', { name: 'mallory', role: 'admin' }],
      ['DELETE', '/session', undefined],
      ['DELETE', `/sessions/${id}`, undefined],
      ['PUT', '/anything', undefined],
    ] as const)
      expect(await ask(cookie, path, method, headers, body), path).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      });
    expect((await ask(cookie)).status).toBe(200);
    // A token is sent by whoever has it, and by no browser by itself.
    const bearer = { authorization: `Bearer ${tokens.vic}` };
    expect((await call('POST', '/api/v1/tokens', { ...headers, ...bearer }, {})).body?.detail).toMatch(/needs admin/);
  });

  it('signs nobody in for another page', async () => {
    for (const headers of [
      { origin: 'https://evil.example', 'x-nightshift-csrf': '1' },
      { origin: nightshift.app.url },
      { 'sec-fetch-site': 'cross-site' },
    ]) {
      const { status, cookies } = await signIn('vic', headers as unknown as Record<string, string>);
      expect([status, cookies]).toEqual([403, []]);
    }
    expect((await signIn('vic', ours())).status).toBe(200);
  });

  it('never takes over a session that the browser came with', async () => {
    const planted = (await signIn('vic')).cookie;
    const { cookie, body } = await signIn('ada', { cookie: planted });
    expect(cookie).not.toBe(planted);
    expect(body).toMatchObject({ person: 'ada' });
    // Nor does anybody go on with it.
    expect((await ask(planted)).status).toBe(401);
    const made = await signIn('ada', { cookie: 'nightshift_session=nst_chosen-by-the-attacker' });
    expect(made.cookie).not.toContain('chosen');
    expect((await ask('nightshift_session=nst_chosen-by-the-attacker')).status).toBe(401);
  });

  it('closes behind who signs out, and takes the cookie back', async () => {
    const { cookie, id } = await signIn('ben');
    const { status, cookies } = await ask(cookie, '/session', 'DELETE', ours());
    expect([status, cookies]).toEqual([
      204,
      [expect.stringMatching(/^nightshift_session=; .*Expires=Thu, 01 Jan 1970/)],
    ]);
    expect((await ask(cookie)).status).toBe(401);
    const types = async () =>
      (
        await nightshift.api<{
          events: { type: string; actor: string; data: { session: string; tokenName?: string } }[];
        }>('/events?limit=1000')
      ).body.events
        .filter(({ data }) => data.session === id)
        .map(({ type, actor, data: { tokenName } }) => [type, actor, tokenName]);
    await expect.poll(types, { timeout: 40_000 }).toEqual([
      ['session.opened', 'ben', 'ben'],
      ['session.ended', 'ben', undefined],
    ]);
  });

  it('shows and ends one’s own sessions, and to an administrator all', async () => {
    const [ada, ben, vic] = [await signIn('ada'), await signIn('ben'), await signIn('vic')];
    const people = async (cookie: string) =>
      new Set(
        (((await ask(cookie, '/sessions')).body?.sessions ?? []) as { person: string }[]).map((one) => one.person),
      );
    expect(await people(ben.cookie)).toEqual(new Set(['ben']));
    expect(await people(ada.cookie)).toEqual(new Set(['ada', 'ben', 'vic']));
    const end = async (by: string, id: string) => (await ask(by, `/sessions/${id}`, 'DELETE', ours())).status;
    expect(await end(ben.cookie, ada.id)).toBe(404);
    expect(await end(ben.cookie, 'none')).toBe(404);
    expect(await end(ada.cookie, vic.id)).toBe(204);
    expect((await ask(vic.cookie)).status).toBe(401);
    expect(await end(ben.cookie, ben.id)).toBe(204);
    expect((await ask(ben.cookie)).status).toBe(401);
  });

  it('is not opened at other doors by its cookie', async () => {
    const { cookie } = await signIn('ada');
    const secret = cookie.split('=')[1];
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const accept = { accept: 'application/json, text/event-stream' };
    expect((await call('POST', '/mcp', { cookie, ...ours(), ...accept }, list)).status).toBe(401);
    expect((await call('POST', '/webhooks/alertmanager', { cookie, ...ours() }, {})).status).toBe(401);
    for (const path of ['/mcp', '/webhooks/alertmanager', '/api/v1/incidents'])
      expect((await call('POST', path, { ...accept, authorization: `Bearer ${secret}` }, list)).status, path).toBe(401);
  });

  it('is managed from the command line as well', async () => {
    const { id } = await signIn('vic', { 'user-agent': 'Lynx' });
    const run = async (...argv: string[]) => {
      const said: string[] = [];
      const env = { NIGHTSHIFT_URL: nightshift.app.url, NIGHTSHIFT_TOKEN: tokens.ada ?? '' };
      const never = () => Promise.reject(new Error('not here'));
      const say = (text: string) => void said.push(text);
      const code = await runCli({ argv, env, directory: '/', out: say, err: say, serve: never, untilStopped: never });
      return { code, said: said.join('\n') };
    };
    const { said } = await run('sessions', 'list');
    expect(said).toMatch(new RegExp(`^${id} vic +viewer +by token since 20.*until 20.*  Lynx$`, 'm'));
    expect(JSON.parse((await run('sessions', 'list', '--json')).said)).toContainEqual(expect.objectContaining({ id }));
    expect(await run('sessions', 'revoke', id)).toEqual({ code: 0, said: `${id} is ended` });
    expect((await run('sessions', 'list')).said).not.toContain(id);
    expect(await run('sessions', 'revoke', id)).toMatchObject({ code: 1, said: expect.stringMatching(/no session/) });
  });

  it('makes whoever tries too often wait, but nobody who was in already or has a right token', async () => {
    const { cookie } = await signIn('ada');
    let status = 200;
    for (let tries = 0; tries < 21 && status === 200; tries += 1) ({ status } = await signIn('vic'));
    expect([status, (await signIn('ben')).status]).toEqual([429, 200]);
    const wrong = () => call('POST', '/api/v1/session', {}, { token: newSecret() });
    status = 401;
    for (let tries = 0; tries < 21 && status === 401; tries += 1) ({ status } = await wrong());
    const { headers, body } = await wrong();
    expect([status, body?.code, headers.get('retry-after')]).toEqual([429, 'too_many_requests', '60']);
    // Behind a proxy that is everybody's address.
    expect((await signIn('ben')).status).toBe(200);
    expect((await ask(cookie)).status).toBe(200);
    expect((await nightshift.api('/status')).status).toBe(200);
  });
});
