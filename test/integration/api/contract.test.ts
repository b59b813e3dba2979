/** What every answer of the API keeps to: errors as problem documents, pages of lists, and the examples of the reference. */
import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { curlOf } from '../../../scripts/write-api-reference.ts';
import { API_ROOT, OPERATIONS, openApi } from '../../../src/api/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { undocumented } from '../../real-parts/documented.ts';
import { eventually } from '../../real-parts/program.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';

const RUNBOOK =
  '---\nmatch: [\'alertname="CheckoutDown"\']\n---\n# Checkout is down\nRestart it when the disk is full.\n';
/** What an example meets on a server that has only two incidents; all others get what they ask for. */
const MEETS: Readonly<Record<string, number>> = {
  decideApproval: 404,
  showJudgements: 404,
  explainPolicy: 400,
  runByHand: 400,
  endMaintenance: 404,
  endSession: 404,
  // Too many wrong tokens came from here before.
  signIn: 429,
  showSession: 401,
  signOut: 401,
};

/** An answer that has no end is cut off then. */
const STREAM_SECONDS = 10;

describe.each(anyDatabase)('every answer of the API, on $name', ({ name: database }) => {
  let nightshift: TestNightshift;
  let token: string;
  const ask = async (path: string, init: RequestInit & { token?: string | null } = {}) => {
    const { token: as = token, ...rest } = init;
    const headers = { ...(as === null ? {} : { authorization: `Bearer ${as}` }), ...rest.headers };
    const response = await fetch(`${nightshift.app.url}${path}`, { ...rest, headers });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    return {
      status: response.status,
      headers: response.headers,
      type,
      text,
      body: type.includes('json') ? JSON.parse(text) : text,
    };
  };
  const post = (path: string, body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    ask(path, { method: 'POST', body, headers });

  beforeAll(async () => {
    nightshift = await startNightshift({
      database,
      runbooks: { 'checkout-down.md': RUNBOOK },
      config: { mode: 'ask' },
    });
    const { body } = await nightshift.api<{ secret: string }>('/tokens', { name: 'ada', role: 'admin' });
    token = body.secret;
    await symlink('.', join(nightshift.dataDir, '.nightshift'));
    for (const service of ['a', 'b'])
      await nightshift.deliver([alert({ service, alertname: `Down-${service}` }, { fingerprint: service })]);
    for (const id of [1, 2]) await nightshift.until(id, 'escalated');
  });
  afterAll(() => nightshift?.stop());

  it('hands out the document to anybody', async () => {
    const { status, body } = await ask(`${API_ROOT}/openapi.json`, { token: null });
    expect(status).toBe(200);
    expect(body).toEqual(JSON.parse(JSON.stringify(openApi())));
  });

  describe('an error', () => {
    const cases: [string, () => ReturnType<typeof ask>, number, string, Record<string, string | RegExp>][] = [
      [
        'without a token',
        () => ask('/api/v1/status', { token: null }),
        401,
        'unauthorized',
        { 'www-authenticate': /^Bearer realm=/ },
      ],
      [
        'with a wrong token',
        () => ask('/api/v1/status', { token: 'x' }),
        401,
        'unauthorized',
        { 'www-authenticate': /^Bearer realm=/ },
      ],
      [
        'of an alert without a secret',
        () => ask('/webhooks/alertmanager', { method: 'POST', token: null }),
        401,
        'unauthorized',
        { 'www-authenticate': 'Bearer' },
      ],
      ['below the API', () => ask('/api/v1/nothing'), 404, 'not_found', {}],
      ['below the API, with dots', () => ask('/api/v1/openapiXjson'), 404, 'not_found', {}],
      ['anywhere else', () => ask('/nothing'), 404, 'not_found', {}],
      ['at an unknown door', () => ask('/webhooks/nothing', { method: 'POST' }), 404, 'not_found', {}],
      ['of a thing that is not there', () => ask('/api/v1/incidents/999'), 404, 'not_found', {}],
      [
        'of another method',
        () => ask('/api/v1/tokens', { method: 'DELETE' }),
        405,
        'method_not_allowed',
        { allow: 'GET, POST' },
      ],
      [
        'of another method, with a parameter',
        () => ask('/api/v1/approvals/x/decision'),
        405,
        'method_not_allowed',
        { allow: 'POST' },
      ],
      [
        'of an unheard method',
        () => ask('/api/v1/incidents/1', { method: 'PATCH' }),
        405,
        'method_not_allowed',
        { allow: 'GET' },
      ],
      [
        'of another method for the process',
        () => ask('/healthz', { method: 'POST' }),
        405,
        'method_not_allowed',
        { allow: 'GET' },
      ],
      [
        'of another method at a door',
        () => ask('/webhooks/alertmanager'),
        405,
        'method_not_allowed',
        { allow: 'POST' },
      ],
      [
        'of a body that is too large',
        () => post('/api/v1/runs', JSON.stringify({ x: 'y'.repeat(70_000) })),
        413,
        'payload_too_large',
        {},
      ],
      [
        'of a body of another type',
        () => post('/api/v1/runs', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }),
        415,
        'unsupported_media_type',
        {},
      ],
      [
        'of a body of no type',
        () => ask('/api/v1/runs', { method: 'POST', body: new Blob(['{}']) }),
        415,
        'unsupported_media_type',
        {},
      ],
      ['of a body that is no JSON', () => post('/api/v1/runs', '{"a":'), 400, 'invalid_payload', {}],
      [
        'of a body in another encoding',
        () => post('/api/v1/runs', '{}', { 'content-type': 'application/json', 'content-encoding': 'zstd' }),
        400,
        'invalid_payload',
        {},
      ],
      ['of a field', () => post('/api/v1/runs', '{"what": 1}'), 400, 'invalid_payload', {}],
      ['of a query', () => ask('/api/v1/incidents?limit=0'), 400, 'invalid_payload', {}],
      ['of an address that is no UTF-8', () => ask('/api/v1/incidents/%ff'), 400, 'invalid_payload', {}],
      [
        'of a seal that cannot be',
        () => ask('/api/v1/audit/seals?after=9999999999999999999'),
        400,
        'invalid_payload',
        {},
      ],
      ['of an event that cannot be', () => ask('/api/v1/audit?before=9999999999999999999'), 400, 'invalid_payload', {}],
      [
        'of a role',
        async () => ask('/api/v1/tokens', { token: await made('vic', { role: 'viewer' }) }),
        403,
        'forbidden',
        {},
      ],
    ];
    it.each(cases)('%s is a problem document', async (_, send, status, code, headers) => {
      const answer = await send();
      expect(answer.status).toBe(status);
      expect(answer.type).toBe('application/problem+json; charset=utf-8');
      expect(answer.body).toEqual({
        type: `urn:nightshift:error:${code}`,
        title: code.replaceAll('_', ' '),
        status,
        code,
        detail: expect.stringMatching(/\S/),
        ...('problems' in answer.body ? { problems: expect.any(Array) } : {}),
      });
      for (const [name, value] of Object.entries(headers))
        expect(answer.headers.get(name)).toEqual(typeof value === 'string' ? value : expect.stringMatching(value));
    });

    it('says when to ask again where there was too much', async () => {
      const tries = [];
      for (let at = 0; at < 21; at += 1)
        tries.push(await post('/api/v1/session', '{"token":"wrong"}', { 'content-type': 'application/json' }));
      expect(tries.at(-1)).toMatchObject({ status: 429, body: { code: 'too_many_requests' } });
      expect(tries.at(-1)?.headers.get('retry-after')).toBe('60');
    });

    it('is one even where a request is cut short', async () => {
      const { port, hostname } = new URL(nightshift.app.url);
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect(Number(port), hostname, () =>
          socket.end(
            `POST /api/v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"a"`,
          ),
        );
        let text = '';
        socket.on('data', (chunk) => {
          text += chunk;
        });
        socket.on('close', () => resolve(text)).on('error', reject);
      });
      // A client that has gone away may hear nothing at all.
      expect(answer === '' || /^HTTP\/1.1 400 /.test(answer)).toBe(true);
    });
  });

  async function made(name: string, more: object): Promise<string> {
    const { body } = await nightshift.api<{ secret: string }>('/tokens', {
      name: `${name}-${Math.random()}`.slice(0, 20),
      person: name,
      ...more,
    });
    return body.secret;
  }

  it('gives lists page by page, by `next` as well as by Link', async () => {
    for (const name of ['t1', 't2', 't3']) await made(name, { role: 'viewer' });
    const told = async () => (await nightshift.api<{ events: unknown[] }>('/events?limit=500')).body.events.length;
    await eventually('nothing is added any more', async () => {
      const before = await told();
      await new Promise((done) => setTimeout(done, 2000));
      return (await told()) === before || undefined;
    });
    for (const [path, list, cursor] of [
      ['/tokens', 'tokens', 'after'],
      ['/incidents', 'incidents', 'before'],
      ['/events', 'events', 'after'],
      ['/audit', 'events', 'before'],
    ] as const) {
      const whole = (await nightshift.api<Record<string, unknown[]>>(`${path}?limit=500`)).body[list];
      expect(whole?.length, path).toBeGreaterThan(1);
      const [byNext, byLink]: [unknown[], unknown[]] = [[], []];
      let next: unknown = '';
      while (next !== null) {
        const page = await ask(`${API_ROOT}${path}?limit=1${next === '' ? '' : `&${cursor}=${next}`}`);
        byNext.push(...page.body[list]);
        next = page.body.next;
      }
      let url: string | undefined = `${API_ROOT}${path}?limit=1`;
      while (url !== undefined) {
        const page = await ask(url);
        byLink.push(...page.body[list]);
        url = /^<([^>]+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1];
      }
      // Each of these was used meanwhile.
      const bare = (items: unknown[] | undefined) =>
        items?.map((one) => (one as { id?: unknown; name?: unknown }).id ?? (one as { name: unknown }).name);
      expect(bare(byNext)).toEqual(bare(whole));
      expect(bare(byLink)).toEqual(bare(whole));
    }
  });

  it.each([
    '/approvals',
    '/maintenance',
    '/runbooks',
    '/runbooks/failing',
    '/runbooks/uncovered',
    '/track-records',
    '/sessions',
    '/judge',
    '/judgements',
  ])('gives no more of %s than a page, and refuses what is no page', async (path) => {
    expect(await ask(`${API_ROOT}${path}?limit=1`)).toMatchObject({
      status: 200,
      body: { next: path.endsWith('uncovered') ? expect.any(String) : null },
    });
    expect(await ask(`${API_ROOT}${path}?limit=100000`)).toMatchObject({
      status: 400,
      body: { code: 'invalid_payload' },
    });
  });

  it('says where the item is gone that a page begins behind', async () => {
    expect(await ask(`${API_ROOT}/maintenance?after=person/mnt-0`)).toMatchObject({
      status: 409,
      body: { code: 'conflict' },
    });
  });

  describe('an example of the reference', () => {
    const run = (command: string) =>
      new Promise<{ text: string; status: number; type: string }>((resolve, reject) => {
        const env = { ...process.env, NIGHTSHIFT_URL: nightshift.app.url, NIGHTSHIFT_TOKEN: token };
        const asked = `${command} -w '\\n%{http_code} %{content_type}' --max-time ${STREAM_SECONDS}`;
        execFile(
          'bash',
          ['-c', asked],
          { cwd: nightshift.dataDir, env, maxBuffer: 64 * 1024 * 1024 },
          (error, stdout, stderr) => {
            // A stream goes on until its time is over.
            if (error && error.code !== 28) return reject(new Error(`${error.message}\n${stderr}`));
            const at = stdout.lastIndexOf('\n');
            const [status = '', ...type] = stdout.slice(at + 1).split(' ');
            resolve({ text: stdout.slice(0, at), status: Number(status), type: type.join(' ') });
          },
        );
      });

    it.each(OPERATIONS.map((operation) => [operation.id, operation] as const))(
      '%s is answered as it says',
      async (id, operation) => {
        const command = curlOf(operation).replace('curl -sSN', 'curl -sSN -m 1');
        const isStream = operation.answer.type === 'text/event-stream';
        const { status, type, text } = await run(
          isStream ? command.replace(' -m 1', '').replace('curl -sSN', 'curl -sSN -m 1') : command,
        );
        expect(status, text).toBe(MEETS[id] ?? operation.answer.status);
        const path = (operation.root ? '' : API_ROOT) + operation.path.replaceAll(/[{}]/g, '');
        const body = type.includes('json') ? JSON.parse(text) : text;
        expect(undocumented({ method: operation.method, path, status, type, body })).toEqual([]);
      },
    );
  });
});
