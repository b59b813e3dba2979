import { randomBytes } from 'node:crypto';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { prepareAppRole } from '../../../src/database/app-role.ts';
import { type Database, openPostgres } from '../../../src/database/index.ts';
import { addEvents } from '../../../src/incident/index.ts';
import { startQueue } from '../../../src/remediation/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';

/** So many of the following are refused by the triggers as well. */
const BY_TRIGGER = 7;
const CHANGES = [
  `update event set type = 'else'`,
  'delete from event',
  'truncate event',
  'truncate incident cascade',
  'delete from seal',
  `update seal set at = now()`,
  'truncate seal',
  'drop table event cascade',
  'alter table event disable trigger all',
  'alter table event alter column at drop not null',
  'set session_replication_role = replica',
  'create rule quiet as on insert to event do instead nothing',
  'create trigger quiet before insert on event for each row execute function suppress_redundant_updates_trigger()',
  'create or replace function refuse_change() returns trigger language plpgsql as $$ begin return old; end $$',
  `insert into event (at, type, actor, data) values (now() - interval '1 day', 'dated back', 'mallory', '{}')`,
  `insert into event (id, type, actor, data) overriding system value values (1, 'in a gap', 'mallory', '{}')`,
  'create table public.event_of_mine ()',
  'create schema mine',
  `delete from kysely_migration`,
];

const SEAL = `insert into seal values (1, '{[1,2)}', '', '', now(), '')`;

/** Gives what was not refused. */
const refusals = async (db: Database, statements: readonly string[] = CHANGES) => {
  const letThrough: string[] = [];
  for (const statement of statements) {
    const refused = await db.executeSql(statement).then(
      () => null,
      (error: unknown) => error as { code?: string; message: string },
    );
    if (!refused || !(refused.code === '42501' || /append-only/.test(refused.message)))
      letThrough.push(`${statement}: ${refused?.message ?? 'done'}`);
  }
  return letThrough;
};

/** The ordinary work: an event, and a job through the queue with the queue's own tables made by these sessions. */
async function works(db: Database): Promise<void> {
  await addEvents(db, null, [{ type: 'x', actor: 'test', data: {} }]);
  const queue = await startQueue(db, createLogger('silent'));
  expect((await queue.enqueue([{ incidentId: 1, severity: 'info', team: null }], 0)).size).toBe(1);
  const [lease] = await queue.take(1);
  expect(lease && (await queue.complete(lease))).toBe(true);
  await queue.stop();
}

describe.each(databases)('the application on $name', ({ open }) => {
  let db: Database;
  beforeAll(async () => {
    db = await open();
  });
  afterAll(() => db.close());

  it('can insert into the audit, and change nothing in it, whatever it tries', async () => {
    expect(db.guard).toMatchObject({ by: 'role' });
    await works(db);
    await db.executeSql(SEAL);
    expect(await refusals(db)).toEqual([]);
    expect(await db.q.selectFrom('event').select('type').execute()).toEqual([{ type: 'x' }]);
  });

  it('is still held by the triggers where it gives up the role', async () => {
    for (const statement of CHANGES.slice(0, BY_TRIGGER)) {
      const attempt = db.transaction(async () => {
        await sql`set local role none`.execute(db.q);
        await sql.raw(statement).execute(db.q);
      });
      await expect(attempt, statement).rejects.toThrow(/append-only/);
    }
  });
});

describe.runIf(databases.length > 1)('on a served Postgres', () => {
  const undo: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });

  /** A database of its own, owned by a new login with these attributes, and pgvector that a superuser installed. */
  async function databaseOf(
    attributes: string,
    count = 1,
  ): Promise<{ login: string; urls: string[]; asSuperuser: (statement: string, url?: string) => Promise<void> }> {
    const login = `ns_test_${randomBytes(4).toString('hex')}`;
    const made = await Promise.all(Array.from({ length: count }, () => throwawayDatabaseUrl()));
    const first = made[0]?.url ?? '';
    const asSuperuser = (statement: string, url = first) => once(url, statement);
    await asSuperuser(`create role ${login} login password 'x' ${attributes}`);
    undo.push(() =>
      once(process.env.NIGHTSHIFT_TEST_DATABASE_URL ?? '', `drop role if exists ${login}, nightshift_app_of_${login}`),
    );
    const urls = [];
    for (const { url, drop } of made) {
      undo.push(drop);
      const own = new URL(url);
      await asSuperuser('create extension vector', url);
      await asSuperuser(`alter database ${own.pathname.slice(1)} owner to ${login}`, url);
      Object.assign(own, { username: login, password: 'x' });
      urls.push(own.href);
    }
    return { login, urls, asSuperuser };
  }

  async function opened(url: string): Promise<Database> {
    const db = await openPostgres(url);
    undo.push(() => db.close());
    return db;
  }

  it('an owner who may create roles makes the role by itself', async () => {
    const { login, urls } = await databaseOf('createrole');
    for (const url of [...urls, ...urls]) {
      const db = await opened(url);
      expect(db.guard).toEqual({ by: 'role', role: `nightshift_app_of_${login}` });
      await works(db);
      expect(await refusals(db)).toEqual([]);
    }
  });

  it('an owner who may not is held by the triggers, is told so with the fix, and the fix helps', async () => {
    const { login, urls, asSuperuser } = await databaseOf('');
    const [url = ''] = urls;
    const before = await opened(url);
    const role = `nightshift_app_of_${login}`;
    const fix = `create role "${role}" nologin; grant "${role}" to "${login}"`;
    expect(before.guard).toEqual({ by: 'trigger', because: expect.stringContaining(fix) });
    await works(before);
    await before.executeSql(SEAL);
    expect(await refusals(before, CHANGES.slice(0, BY_TRIGGER))).toEqual([]);
    for (const statement of fix.split('; ')) await asSuperuser(statement);
    const after = await opened(url);
    expect(after.guard).toEqual({ by: 'role', role });
    await works(after);
    expect(await refusals(after)).toEqual([]);
    // A role that somebody has given more is no guard.
    await asSuperuser(`grant delete on event to "${role}"`);
    expect((await opened(url)).guard).toEqual({
      by: 'trigger',
      because: expect.stringContaining(`revoke what was granted to "${role}"`),
    });
    // Without the role there is no connection at all, rather than one with full rights.
    await asSuperuser(`revoke "${role}" from "${login}"`);
    await asSuperuser(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${login}'`);
    await expect(after.ping()).rejects.toThrow(/permission denied to set role/);
  });

  it('a login that owns nothing cannot even give up its role to get rights back', async () => {
    const { login, urls } = await databaseOf('createrole');
    const [url = ''] = urls;
    const app = `${login}_app`;
    await (await opened(url)).close();
    undo.unshift(() => once(process.env.NIGHTSHIFT_TEST_DATABASE_URL ?? '', `drop role ${app}`));
    await once(url, `create role ${app} login password 'x' in role nightshift_app_of_${login}`);
    const own = new URL(url);
    own.username = app;
    const db = await opened(own.href);
    expect(db.guard).toEqual({ by: 'login', role: `nightshift_app_of_${login}` });
    await works(db);
    await db.executeSql('set role none');
    expect(await refusals(db)).toEqual([]);
    await expect(db.executeSql(`set role ${login}`)).rejects.toThrow(/permission denied to set role/);
  });

  it('databases of one owner that are opened at once share the role without tripping over each other', async () => {
    for (const attributes of ['superuser', 'createrole']) {
      const { login, urls, asSuperuser } = await databaseOf(attributes, 2);
      const role = `nightshift_app_of_${login}`;
      for (const url of urls) await (await openPostgres(url)).close();
      for (let round = 0; round < 3; round += 1) {
        for (const url of urls) await asSuperuser(`reassign owned by ${role} to ${login}; drop owned by ${role}`, url);
        await asSuperuser(`drop role ${role}`);
        const pools = [...urls, ...urls].map((connectionString) =>
          // The server may end a connection that is just being closed when it drops the database.
          new pg.Pool({ connectionString, max: 1 }).on('connect', (client) => void client.on('error', () => {})),
        );
        await Promise.all(pools.map((pool) => pool.query('select 1')));
        const guards = await Promise.allSettled(
          pools.map((pool) => prepareAppRole(new Kysely({ dialect: new PostgresDialect({ pool }) }))),
        );
        expect(guards).toEqual(guards.map(() => ({ status: 'fulfilled', value: { by: 'role', role } })));
        await Promise.all(pools.map((pool) => pool.end()));
      }
    }
  });

  it('a queue from before the role is handed over with its jobs', async () => {
    const { url, drop } = await throwawayDatabaseUrl();
    undo.push(drop);
    const boss = new PgBoss({ connectionString: url, schema: 'pgboss' });
    await boss.start();
    await boss.createQueue('advance-incident', { policy: 'exclusive', heartbeatSeconds: 10 });
    const job = await boss.send('advance-incident', { incident: 7 }, { singletonKey: '7' });
    await boss.stop();
    const db = await opened(url);
    expect(db.guard).toMatchObject({ by: 'role' });
    const queue = await startQueue(db, createLogger('silent'));
    expect(await queue.take(1)).toMatchObject([{ incidentId: 7, attempt: { id: job } }]);
    await queue.stop();
    const { rows } =
      await db.executeSql(`select count(*)::int as n from pg_class where relnamespace = 'pgboss'::regnamespace
      and relowner <> (select oid from pg_roles where rolname = current_user)`);
    expect(rows).toEqual([{ n: 0 }]);
  });
});

async function once(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
