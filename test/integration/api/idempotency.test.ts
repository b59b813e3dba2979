/** A request that is sent again with its Idempotency-Key gets the first answer, whichever replica it meets, and nothing is done twice. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openPostgres } from '../../../src/database/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { startNightshift, type TestNightshift } from '../support/nightshift.ts';

describe.each(databases)('an Idempotency-Key, on $name', ({ name: database }) => {
  let nightshift: TestNightshift;
  let ada: string;
  let ben: string;
  const ask = async (
    path: string,
    body: unknown,
    { key, token = ada, at = nightshift }: { key?: string; token?: string; at?: TestNightshift } = {},
  ) => {
    const response = await fetch(`${at.app.url}/api/v1${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      body: JSON.stringify(body),
    });
    return {
      status: response.status,
      replayed: response.headers.get('idempotency-replayed'),
      retryAfter: response.headers.get('retry-after'),
      body: (await response.json()) as Record<string, unknown>,
    };
  };
  const opened = async () =>
    (await nightshift.api<{ incidents: { id: string }[] }>('/incidents?limit=500')).body.incidents.length;
  const open = (text: string, key?: string, more: object = {}) =>
    ask('/incidents', { text, labels: {} }, { ...(key === undefined ? {} : { key }), ...more });

  beforeAll(async () => {
    nightshift = await startNightshift({ database, config: { mode: 'observe' } });
    const make = async (name: string) =>
      (await nightshift.api<{ secret: string }>('/tokens', { name, role: 'admin' })).body.secret;
    [ada, ben] = [await make('ada'), await make('ben')];
  });
  afterAll(() => nightshift?.stop());

  it('gives the answer of the first, and does nothing again', async () => {
    const key = randomUUID();
    const before = await opened();
    const first = await open('orders hang', key);
    expect(first).toMatchObject({ status: 202, replayed: null });
    const second = await open('orders hang', `"${key}"`);
    expect(second).toEqual({ ...first, replayed: 'true' });
    expect(await opened()).toBe(before + 1);
    // Without one, or with another, it is another wish.
    await open('orders hang');
    await open('orders hang', randomUUID());
    expect(await opened()).toBe(before + 3);
  });

  it('is refused with another request, and taken from each person by itself', async () => {
    const key = randomUUID();
    const { body } = await open('one', key);
    for (const other of [() => open('two', key), () => ask('/kill-switch', { engaged: false }, { key })])
      expect(await other()).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    const another = await open('one', key, { token: ben });
    expect(another).toMatchObject({ status: 202, replayed: null });
    expect(another.body).not.toEqual(body);
  });

  it('is left free by what was refused, which did nothing', async () => {
    const key = randomUUID();
    expect(await ask('/incidents/999/words', { word: 'close' }, { key })).toMatchObject({ status: 404 });
    expect(await ask('/incidents', { text: '' }, { key })).toMatchObject({ status: 400 });
    expect(await open('now it is right', key)).toMatchObject({ status: 202, replayed: null });
  });

  it.each(['', 'x'.repeat(256), 'a b', '"a', 'a,b'])('is refused as %j', async (key) => {
    const answer = await open('wrong', key);
    expect(answer).toMatchObject({ status: 400, body: { problems: [{ field: 'Idempotency-Key' }] } });
  });

  it('makes one thing of many requests at once', async () => {
    const key = randomUUID();
    const before = await opened();
    const answers = await Promise.all(Array.from({ length: 20 }, () => open('all at once', key)));
    const done = answers.filter(({ status }) => status === 202);
    const rest = answers.filter(({ status }) => status !== 202);
    expect(done.filter(({ replayed }) => replayed === null)).toHaveLength(1);
    for (const { body } of done) expect(body).toEqual(done[0]?.body);
    for (const one of rest)
      expect(one).toMatchObject({ status: 409, retryAfter: '1', body: { code: 'idempotency_key_in_use' } });
    // There one transaction waits for the other.
    if (database === 'embedded') expect(rest).toEqual([]);
    expect(await opened()).toBe(before + 1);
    expect(await open('all at once', key)).toMatchObject({ status: 202, replayed: 'true' });
  });

  it('shows the secret of a token again to whoever made it, and keeps it where nobody else can read it', async () => {
    const key = randomUUID();
    const first = await ask('/tokens', { name: 'bot', role: 'viewer' }, { key });
    expect(await ask('/tokens', { name: 'bot', role: 'viewer' }, { key })).toEqual({ ...first, replayed: 'true' });
    expect(await ask('/tokens', { name: 'bot', role: 'viewer' }, { key: randomUUID() })).toMatchObject({ status: 409 });
    if (nightshift.databaseUrl === null) return;
    const db = await openPostgres(nightshift.databaseUrl);
    try {
      const rows = await db.q.selectFrom('idempotency_key').selectAll().execute();
      expect(rows.length).toBeGreaterThan(0);
      const all = rows
        .map(({ answer, ...row }) => `${JSON.stringify(row)}${Buffer.from(answer).toString('latin1')}`)
        .join('');
      for (const text of [String(first.body.secret), 'INC-', 'bot', key]) expect(all).not.toContain(text);
    } finally {
      await db.close();
    }
  });

  it('wakes the work that it began once that is committed', async () => {
    const { body } = await open('look into it', randomUUID());
    await nightshift.until(Number(String(body.incident).slice(4)), ({ state }) => state !== 'received');
  });
});

describe('an Idempotency-Key among replicas', () => {
  let one: TestNightshift;
  let two: TestNightshift;
  let db: Database;
  let token: string;

  beforeAll(async () => {
    one = await startNightshift({ database: 'postgres', config: { mode: 'observe' } });
    const url = one.databaseUrl as string;
    two = await startNightshift({ database: 'postgres', databaseUrl: url, config: { mode: 'observe' } });
    db = await openPostgres(url);
    token = (await one.api<{ secret: string }>('/tokens', { name: 'ada', role: 'admin' })).body.secret;
  });
  afterAll(async () => {
    await db?.close();
    await two?.stop();
    await one?.stop();
  });

  const open = async (at: TestNightshift, text: string, key: string) => {
    const response = await fetch(`${at.app.url}/api/v1/incidents`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ text }),
    });
    return {
      status: response.status,
      replayed: response.headers.get('idempotency-replayed'),
      body: (await response.json()) as { incident?: string; code?: string },
    };
  };
  const opened = async () => {
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from incident`.execute(db.q);
    return rows[0]?.n;
  };

  it('is known to all of them, also when they are asked at once', async () => {
    const key = randomUUID();
    const first = await open(one, 'orders hang', key);
    expect(await open(two, 'orders hang', key)).toEqual({ ...first, replayed: 'true' });
    const before = await opened();
    const again = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, at) => open(at % 2 === 0 ? one : two, 'at once', again)),
    );
    expect(answers.filter(({ status, replayed }) => status === 202 && replayed === null)).toHaveLength(1);
    for (const { status } of answers) expect([202, 409]).toContain(status);
    expect(await opened()).toBe((before ?? 0) + 1);
  });

  it('is under way for as long as the first request is, and free when its replica dies before it is done', async () => {
    const key = randomUUID();
    const before = await opened();
    const owner = new pg.Client({ connectionString: one.databaseUrl as string });
    const holder = new pg.Client({ connectionString: one.databaseUrl as string });
    await Promise.all([owner.connect(), holder.connect()]);
    try {
      // What a person opens waits for this, with its key taken.
      await holder.query('begin; lock table incident in access exclusive mode');
      const lost = open(one, 'it dies', key);
      const waiting = `select distinct pid from pg_stat_activity join pg_locks using (pid)
        where datname = current_database() and wait_event_type = 'Lock' and locktype = 'advisory' and granted`;
      await expect.poll(async () => (await owner.query(waiting)).rowCount, { timeout: 20_000 }).toBeGreaterThan(0);
      expect(await open(two, 'it dies', key)).toMatchObject({ status: 409, body: { code: 'idempotency_key_in_use' } });
      // As Postgres sees the end of a replica: its connections are gone.
      await owner.query(`select pg_terminate_backend(pid) from (${waiting}) as one`);
      expect((await lost).status).toBe(503);
    } finally {
      await Promise.all([holder.end(), owner.end()]);
    }
    expect(await opened()).toBe(before);
    const done = await open(two, 'it dies', key);
    expect(done).toMatchObject({ status: 202, replayed: null });
    expect(await open(one, 'it dies', key)).toEqual({ ...done, replayed: 'true' });
    expect(await opened()).toBe((before ?? 0) + 1);
  });

  it('is forgotten after a day', async () => {
    const key = randomUUID();
    const first = await open(one, 'every night', key);
    await sql`update idempotency_key set created_at = created_at - interval '25 hours'`.execute(db.q);
    const next = await open(two, 'every night, in other words', key);
    expect(next).toMatchObject({ status: 202, replayed: null });
    expect(next.body).not.toEqual(first.body);
    expect(await open(one, 'every night, in other words', key)).toEqual({ ...next, replayed: 'true' });
  });
});
