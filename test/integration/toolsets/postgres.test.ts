import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresToolset } from '../../../src/mcp-tools/postgres/index.ts';
import { throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { eventually, freePort } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { callTool, inspectTool } from './call-tool.ts';

describe.skipIf(requireParts('the postgres toolset', 'postgres'))('the postgres toolset against Postgres', () => {
  const suffix = `${process.pid}_${randomBytes(3).toString('hex')}`;
  const [role, slot] = [`nightshift_role_${suffix}`, `nightshift_slot_${suffix}`];
  let url: string;
  let drop: () => Promise<void>;
  let admin: pg.Client;
  let settings: Record<string, unknown>;
  const open: pg.Client[] = [];

  const call = (name: string, input: object = {}, more: object = {}, signal?: AbortSignal) =>
    callTool(postgresToolset, `postgres.${name}`, input, { ...settings, ...more }, signal);
  const inspect = (name: string, input: object = {}, more: object = {}) =>
    inspectTool(postgresToolset, `postgres.${name}`, input, { ...settings, ...more });
  /** Another session, as an application has one; its first answer is waited for. */
  const session = async (config: pg.ClientConfig = {}) => {
    const client = new pg.Client({ connectionString: url, application_name: `shop_${suffix}`, ...config });
    client.on('error', () => {});
    await client.connect();
    open.push(client);
    return { client, pid: (client as unknown as { processID: number }).processID };
  };
  const one = async (text: string, values: unknown[] = []) => (await admin.query(text, values)).rows[0];

  beforeAll(async () => {
    ({ url, drop } = await throwawayDatabaseUrl());
    admin = new pg.Client({ connectionString: url, application_name: 'the test' });
    await admin.connect();
    await admin.query(`create table orders (id int primary key, customer text);
      insert into orders select n, 'customer ' || n from generate_series(1, 5000) as n;
      create index orders_customer on orders (customer);
      create table "Odd Name" (id int); create index "Weird" on "Odd Name" (id);
      create table bookings (during tsrange, constraint bookings_during exclude using gist (during with &&));
      create table events (id int) partition by range (id); create index events_id on events (id);
      analyze orders`);
    await admin.query(`create role ${role} login password 'role-password' in role pg_monitor`);
    const { hostname, port, username, password, pathname } = new URL(url);
    settings = {
      host: hostname,
      port: Number(port),
      username,
      password,
      database: pathname.slice(1),
      tls: 'off',
    };
  });
  afterAll(async () => {
    for (const client of open) await client.end().catch(() => {});
    await admin?.query(`drop role if exists ${role}`).catch(() => {});
    await admin?.end();
    await drop?.();
  });

  it('shows sessions, who waits for whom, and ends what holds it up', async () => {
    const holder = await session();
    await holder.client.query('begin; update orders set customer = customer where id = 1');
    const waiter = await session();
    const waiting = waiter.client.query('update orders set customer = customer where id = 1');
    waiting.catch(() => {});
    const { waiting: found } = await eventually('the second session to wait', async () => {
      const seen = (await call('locks')) as { waiting: Record<string, unknown>[] };
      return seen.waiting.some(({ pid }) => pid === waiter.pid) ? seen : undefined;
    });
    expect(found.find(({ pid }) => pid === waiter.pid)).toMatchObject({
      blockedByPid: holder.pid,
      blockedByState: 'idle in transaction',
      waitingSeconds: expect.any(Number),
    });
    const { sessions } = (await call('activity')) as { sessions: Record<string, unknown>[] };
    expect(sessions.find(({ pid }) => pid === waiter.pid)).toMatchObject({
      application: `shop_${suffix}`,
      state: 'active',
      waitType: 'Lock',
      blockedBy: [holder.pid],
    });
    const { sessions: old } = (await call('activity', { minSeconds: 3600 })) as { sessions: { pid: number }[] };
    expect(old.map(({ pid }) => pid)).not.toContain(waiter.pid);

    const looked = await inspect('terminate_session', { pid: holder.pid });
    expect(looked.uid).toMatch(new RegExp(`^${holder.pid}@20`));
    expect(looked.preview?.join('\n')).toMatch(
      /ends session .*idle in transaction\nrolls back a transaction of \d+ s\n/,
    );
    expect(await one('select 1 as there from pg_stat_activity where pid = $1', [holder.pid])).toEqual({ there: 1 });
    expect(await call('terminate_session', { pid: holder.pid })).toEqual({ terminated: true });
    expect(await one('select 1 as there from pg_stat_activity where pid = $1', [holder.pid])).toBeUndefined();
    await waiting;
    expect(await call('session', { pid: holder.pid })).toEqual({ connected: false, running: false });
    await expect(call('terminate_session', { pid: holder.pid })).rejects.toThrow(
      `there is no client session ${holder.pid}`,
    );
  });

  it('ends sessions that sit idle in a transaction, those that it showed and no other', async () => {
    const idle = { state: 'idle in transaction', minSeconds: 1 };
    const [left, woken, busy] = [await session(), await session(), await session()];
    for (const { client } of [left, woken]) await client.query('begin; select 1');
    await busy.client.query('select 1');
    const pids = async () =>
      ((await call('idle', idle)) as { sessions: { pid: number }[] }).sessions.map(({ pid }) => pid);
    await eventually('two to be idle for a second', async () => ((await pids()).length === 2 ? true : undefined));
    expect(await call('idle', { ...idle, minSeconds: 3600 })).toEqual({ count: 0, sessions: [] });
    expect(await call('idle', idle)).toMatchObject({
      count: 2,
      sessions: [{ pid: left.pid, application: `shop_${suffix}`, state: 'idle in transaction' }, { pid: woken.pid }],
    });
    const looked = await inspect('terminate_idle', idle);
    expect(looked.preview?.join('\n')).toMatch(
      new RegExp(`^ends 2 session\\(s\\) that are idle in transaction for 1 s or longer\nsession ${left.pid} of `),
    );
    await woken.client.query('select 2');
    expect(await call('terminate_idle', idle)).toEqual({ ended: 1 });
    expect(await call('session', { pid: left.pid })).toMatchObject({ connected: false });
    for (const { pid } of [woken, busy]) expect(await call('session', { pid })).toMatchObject({ connected: true });
    await expect(inspect('terminate_idle', { ...idle, minSeconds: 3600 })).rejects.toThrow(
      'no session is idle in transaction for 3600 s',
    );
    await woken.client.query('rollback');
  });

  it('cancels a query and leaves its session', async () => {
    const { client, pid } = await session();
    const slow = client.query('select pg_sleep(60)').catch((error: Error) => error.message);
    await eventually('the query to run', async () =>
      (await call('session', { pid })).running === true ? true : undefined,
    );
    const { preview } = await inspect('cancel_query', { pid });
    expect(preview?.[1]).toMatch(/^running for \d+ s: select pg_sleep\(60\)$/);
    expect(await call('cancel_query', { pid })).toEqual({ cancelled: true });
    expect(await slow).toMatch(/canceling statement due to user request/);
    expect(await call('session', { pid })).toMatchObject({ connected: true, running: false, state: 'idle' });
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  it('shows sizes, dead rows and replication, in numbers', async () => {
    const size = (await call('size')) as { databases: { database: string; bytes: number }[]; relations: unknown[] };
    expect(size).toMatchObject({ connections: expect.any(Number), connectionsMax: expect.any(Number) });
    // The server may have more databases than are shown; other tests make and drop theirs meanwhile.
    expect(size.databases.length).toBeLessThanOrEqual(20);
    expect(size.databases.map(({ bytes }) => bytes)).toEqual(
      size.databases.map(({ bytes }) => bytes).toSorted((x, y) => y - x),
    );
    const { bytes } = await one('select pg_database_size(current_database())::int as bytes');
    expect(size.databases[0]?.bytes).toBeGreaterThan(bytes - 1e6);
    const own = size.databases.find(({ database }) => database === settings.database);
    expect(Math.abs((own?.bytes ?? bytes) - bytes)).toBeLessThan(1e6);
    await admin.query('delete from orders where id > 4000; select pg_stat_force_next_flush()');
    const dead = await eventually('the dead rows to be counted', async () => {
      const { tables } = (await call('bloat')) as { tables: { table: string; deadRows: number }[] };
      return tables.find(({ table, deadRows }) => table === 'public.orders' && deadRows >= 1000);
    });
    expect(dead).toMatchObject({ liveRows: expect.any(Number), bytes: expect.any(Number) });
    expect(await call('replication')).toMatchObject({ isStandby: false, standbys: [], slots: expect.any(Array) });
  });

  it('shows slow statements, and says what is missing where they are not counted', async () => {
    const { loaded } = await one("select current_setting('shared_preload_libraries') ~ 'pg_stat_statements' as loaded");
    await expect(call('slow_queries')).rejects.toThrow(
      /^Postgres refused: relation "pg_stat_statements" does not exist\. Fix: .*pg_stat_statements/,
    );
    // A server of somebody's own may not count them; the one that CI installs does.
    if (!loaded && process.env.NIGHTSHIFT_REQUIRE_REAL_PARTS === undefined) return;
    await admin.query('create extension pg_stat_statements');
    await admin.query('select pg_sleep(0.3)');
    const { statements } = (await call('slow_queries')) as { statements: unknown[] };
    expect(JSON.stringify(statements)).toContain('pg_sleep');
  });

  it('rebuilds an index while the table is written to', async () => {
    const index = { schema: 'public', index: 'orders_customer' };
    const before = await one("select relfilenode::int as file from pg_class where relname = 'orders_customer'");
    const looked = await inspect('reindex', index);
    expect(looked.uid).toMatch(/^\d+$/);
    expect(looked.preview?.[0]).toBe('rebuilds index public.orders_customer of table orders, concurrently');
    expect(await one("select relfilenode::int as file from pg_class where relname = 'orders_customer'")).toEqual(
      before,
    );

    expect(await call('reindex', index)).toMatchObject({ valid: true, bytesAfter: expect.any(Number) });
    expect(
      (await one("select relfilenode::int as file from pg_class where relname = 'orders_customer'")).file,
    ).not.toBe(before.file);
    expect(await call('index', index)).toMatchObject({ exists: true, valid: true, table: 'orders' });
    expect(await call('reindex', { schema: 'public', index: 'Weird' })).toMatchObject({ valid: true });
  });

  it.each([
    ['public', 'nothing', 'there is no index public.nothing'],
    ['public', 'orders', 'there is no index public.orders'],
    ['pg_catalog', 'pg_class_oid_index', 'belongs to the system'],
    ['public', 'events_id', 'partitioned table'],
    ['public', 'bookings_during', 'exclusion constraint'],
  ])('rebuilds no %s.%s', async (schema, index, why) => {
    await expect(inspect('reindex', { schema, index })).rejects.toThrow(why);
    await expect(call('reindex', { schema, index })).rejects.toThrow(why);
  });

  it('stops a rebuild on the server when its caller goes away, and says what may be left', async () => {
    const { client } = await session();
    await client.query('begin; select * from orders limit 1; lock table orders in row exclusive mode');
    const gone = new AbortController();
    const rebuilt = call('reindex', { schema: 'public', index: 'orders_customer' }, {}, gone.signal);
    rebuilt.catch(() => {});
    const waits = () =>
      one(
        "select pid from pg_stat_activity where datname = current_database() and query ~ '^reindex' and state = 'active'",
      );
    await eventually('the rebuild to wait', waits);
    gone.abort();
    await expect(rebuilt).rejects.toThrow(
      /^Postgres did not answer in time, so it is not known what it did; drop public\.orders_customer_ccnew/,
    );
    await eventually('the server to stop it', async () => ((await waits()) === undefined ? true : undefined), 5);
    await client.query('rollback');
    expect(await call('index', { schema: 'public', index: 'orders_customer' })).toMatchObject({ valid: true });
    await admin.query('drop index if exists orders_customer_ccnew');
  });

  it('stops a look on the server when its caller goes away', async () => {
    const { client } = await session();
    await client.query('begin; lock table orders in access exclusive mode');
    const gone = new AbortController();
    const looked = call('size', {}, {}, gone.signal);
    looked.catch(() => {});
    const waits = () =>
      one(
        "select pid from pg_stat_activity where datname = current_database() and application_name = 'nightshift' and state = 'active'",
      );
    await eventually('the look to wait', waits);
    gone.abort();
    await expect(looked).rejects.toThrow('Postgres did not answer in time');
    await eventually('the server to stop it', async () => ((await waits()) === undefined ? true : undefined), 5);
    await client.query('rollback');
  });

  it('drops a replication slot, but none that is in use', async () => {
    await admin.query('select pg_create_physical_replication_slot($1, true)', [slot]);
    try {
      const { client: standby } = await session({ replication: 'true' } as pg.ClientConfig);
      const { lsn } = await one('select pg_current_wal_lsn()::text as lsn');
      standby.query(`START_REPLICATION SLOT ${slot} PHYSICAL ${lsn}`).catch(() => {});
      await eventually('the slot to be in use', async () =>
        (await call('slot', { slot })).active === true ? true : undefined,
      );
      await expect(inspect('drop_replication_slot', { slot })).rejects.toThrow(/is in use/);
      await expect(call('drop_replication_slot', { slot })).rejects.toThrow(/is in use/);
      expect(await one('select 1 as there from pg_replication_slots where slot_name = $1', [slot])).toEqual({
        there: 1,
      });

      (standby as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy();
      await admin.query('select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1', [
        slot,
      ]);
      await eventually('the slot to be left', async () =>
        (await call('slot', { slot })).active === false ? true : undefined,
      );
      const { uid, preview } = await inspect('drop_replication_slot', { slot });
      expect(uid).toMatch(new RegExp(`^${slot}@[0-9A-F]+/[0-9A-F]+`));
      expect(preview?.join('\n')).toMatch(
        /^drops the physical replication slot .*\nnobody uses it now; it holds back .*\n/,
      );
      expect(await call('drop_replication_slot', { slot })).toEqual({ dropped: true });
      expect(await one('select 1 as there from pg_replication_slots where slot_name = $1', [slot])).toBeUndefined();
      expect(await call('slot', { slot })).toEqual({ exists: false, active: false });
      await expect(call('drop_replication_slot', { slot })).rejects.toThrow(`there is no replication slot ${slot}`);
    } finally {
      await admin
        .query('select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1', [slot])
        .catch(() => {});
    }
  });

  it('can do no more than its role may', async () => {
    const own = { username: role, password: 'role-password' };
    const { pid } = await session();
    expect(await call('activity', {}, own)).toMatchObject({ sessions: expect.any(Array) });
    await expect(call('terminate_session', { pid }, own)).rejects.toThrow(
      /^Postgres refused: permission denied to terminate process\. Fix: grant the role of this toolset what it lacks/,
    );
    expect(await call('session', { pid })).toMatchObject({ connected: true });
    await expect(call('reindex', { schema: 'public', index: 'orders_customer' }, own)).rejects.toThrow(
      /must be owner|permission denied/,
    );
    await expect(call('activity', {}, { ...own, password: 'wrong' })).rejects.toThrow(
      /^Postgres refused: password authentication failed .*Fix: correct the password/,
    );
  });

  it('says what is wrong where nothing answers', async () => {
    await expect(call('activity', {}, { port: await freePort() })).rejects.toThrow(
      /^cannot reach Postgres at 127\.0\.0\.1:\d+: .*ECONNREFUSED.*Fix: check that it runs/,
    );
    await expect(call('activity', {}, { database: 'no_such_database' })).rejects.toThrow(
      /^Postgres refused: database "no_such_database" does not exist\. Fix: correct the database/,
    );
    await expect(call('activity', {}, { tls: 'verify' })).rejects.toThrow(/cannot reach Postgres|SSL|certificate/);
  });
});
