import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { sql } from 'kysely';
import { CONNECTIONS_MAX, type Database, listMigrations } from '../database/index.ts';
import { createKillSwitch } from '../gate/index.ts';
import { CLOSED_STATES, incidentName } from '../incident/index.ts';
import { type Check, type Finding, fail, ok, runChecks, warn } from './finding.ts';

const VERSION_MIN = 150_000;
const EXTENSIONS = { vector: 'postgresql-NN-pgvector', pg_trgm: 'postgresql-contrib' };
/** What one replica may take: its pool, and one that listens. */
const CLOCK_SECONDS = { warn: 2, fail: 30 };
/** The driver looks for what has no job every 30 s; a job waits for a free worker no longer than this. */
const STUCK_SECONDS = 90;
const WAITING_SECONDS = 60;
const RETRIES_MANY = 5;
const NAMED_MAX = 5;
const CLOSED = sql.join([...CLOSED_STATES]);

/**
 * Looks at a database and at what Nightshift keeps in it: version, extensions, migrations, indexes, connections, clock, the kill switch, and
 * whatever is stuck. Only reads, and never throws.
 */
export async function examineDatabase(
  db: Database,
  { killSwitchFile }: { readonly killSwitchFile: string },
): Promise<Finding[]> {
  const reading = 'look at the database’s log';
  const check = (name: string, run: () => Promise<Finding | readonly Finding[]>, fix = reading): Check => ({
    name,
    fix,
    run: async () => [await run()].flat(),
  });
  const made = await runChecks([
    check('database', () => version(db), 'see that the database runs, and that DATABASE_URL is right'),
    check('extensions', () => extensions(db)),
    check('migrations', () => migrations(db)),
  ]);
  if (made.some(({ check: name, status }) => name === 'database' && status === 'fail')) return made.slice(0, 1);
  if (made.some(({ check: name, status }) => name === 'migrations' && status !== 'ok')) return made;
  const rest = await runChecks([
    check('indexes', () => indexes(db)),
    check('connections', () => connections(db)),
    check('database size', () => size(db)),
    check('clock of the database', () => clock(db)),
    check('kill switch', () => killSwitch(db, killSwitchFile)),
    check('incidents', () => withoutJob(db)),
    check('actions', () => unknownActions(db)),
    check('jobs', () => jobs(db)),
    check('overload', () => overload(db)),
    check('messages', () => messages(db)),
  ]);
  return [...made, ...rest];
}

async function version(db: Database): Promise<Finding> {
  const row = await first<{ number: number; version: string }>(
    db,
    sql`select current_setting('server_version_num')::int as number, current_setting('server_version') as version`,
  );
  const what = `${db.kind === 'embedded' ? 'embedded ' : ''}Postgres ${row.version}`;
  return row.number >= VERSION_MIN ? ok('database', what) : fail('database', what, 'use Postgres 15 or newer');
}

async function extensions(db: Database): Promise<Finding[]> {
  const { rows } = await sql<{ name: string; installed: boolean; available: boolean; untouched: boolean }>`
    select wanted as name, to_regclass('kysely_migration') is null as untouched, exists (select from pg_extension where extname = wanted) as installed,
      exists (select from pg_available_extensions where name = wanted) as available
    from unnest(${`{${Object.keys(EXTENSIONS).join(',')}}`}::text[]) as wanted`.execute(db.q);
  const missing = rows.filter(({ installed }) => !installed);
  if (missing.length === 0) return [ok('extensions', rows.map(({ name }) => name).join(', '))];
  return missing.map(({ name, available, untouched }) => {
    const create = `let a superuser run: create extension ${name}`;
    const install = `install ${EXTENSIONS[name as keyof typeof EXTENSIONS]} on that server, then ${create}`;
    // The first start makes them itself, where its login may.
    if (available && untouched)
      return warn('extensions', `${name} is missing`, `start Nightshift on it once, or ${create}`);
    return fail('extensions', `${name} is missing`, available ? create : install);
  });
}

async function migrations(db: Database): Promise<Finding> {
  const { there } = await first<{ there: boolean }>(
    db,
    sql`select to_regclass('kysely_migration') is not null as there`,
  );
  if (!there) return warn('migrations', 'Nightshift has nothing in it yet', 'start Nightshift on it once');
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db.q);
  const known = await listMigrations();
  const done = new Set(rows.map(({ name }) => name));
  const missing = known.filter((name) => !done.has(name));
  const foreign = [...done].filter((name) => !known.includes(name));
  if (foreign.length > 0)
    return fail('migrations', `a newer Nightshift was here: ${foreign.join(', ')}`, 'use that version, or a newer one');
  if (missing.length > 0)
    return fail('migrations', `not done yet: ${missing.join(', ')}`, 'start this version of Nightshift once');
  return ok('migrations', `all ${known.length} are done`);
}

async function indexes(db: Database): Promise<Finding[]> {
  const { rows } = await sql<{ name: string }>`
    select indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indrelid
    where not (i.indisvalid and i.indisready) and c.relnamespace = current_schema()::regnamespace`.execute(db.q);
  if (rows.length === 0) return [ok('indexes', 'all are valid')];
  return rows.map(({ name }) =>
    fail('indexes', `${name} is not valid, and no query uses it`, `run: reindex index ${name}`),
  );
}

async function connections(db: Database): Promise<Finding[]> {
  if (db.kind === 'embedded') return [];
  const { taken, most } = await first<{ taken: number; most: number }>(
    db,
    sql`select (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as taken,
      current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most`,
  );
  const what = `${Math.max(0, most - taken)} of ${most} are left`;
  const fix = `raise max_connections, or put a pooler in front: each replica may take ${CONNECTIONS_MAX}`;
  return [most - taken < CONNECTIONS_MAX ? warn('connections', what, fix) : ok('connections', what)];
}

async function size(db: Database): Promise<Finding> {
  const { bytes } = await first<{ bytes: string }>(db, sql`select pg_database_size(current_database())::text as bytes`);
  return ok('database size', `${(Number(bytes) / 2 ** 20).toFixed(0)} MiB`);
}

async function clock(db: Database): Promise<Finding> {
  const asked = Date.now();
  const told = (await db.now()).getTime();
  // The answer may have taken its time.
  const off = Math.max(0, Math.abs(told - (asked + Date.now()) / 2) - (Date.now() - asked) / 2) / 1000;
  const what = off < 1 ? 'agrees with this machine' : `${off.toFixed(0)} s off from this machine’s`;
  const fix = 'run chronyd or systemd-timesyncd on both machines';
  if (off >= CLOCK_SECONDS.fail) return fail('clock of the database', what, fix);
  return off >= CLOCK_SECONDS.warn ? warn('clock of the database', what, fix) : ok('clock of the database', what);
}

async function killSwitch(db: Database, file: string): Promise<Finding> {
  const state = await createKillSwitch({ db, file, identity: { deciders: async () => [] } }).state();
  if (!state.engaged) return ok('kill switch', 'off');
  const fix = existsSync(dirname(file))
    ? 'let it go on with: nightshift resume'
    : 'start Nightshift, which makes its data directory; make another folder yourself';
  return warn('kill switch', `everything is stopped: ${state.why}`, fix);
}

async function withoutJob(db: Database): Promise<Finding> {
  if (!(await hasQueue(db))) return ok('incidents', 'none');
  const { rows } = await sql<{ id: number; all: number }>`
    select i.id, count(*) over ()::int as all from incident i
    where i.state not in (${CLOSED}) and i.parent_id is null and i.updated_at < clock_timestamp() - ${STUCK_SECONDS} * interval '1 second'
      and not exists (select from pgboss.job j where j.id = i.job_id and j.state in ('created', 'retry', 'active'))
    order by i.id limit ${NAMED_MAX}`.execute(db.q);
  if (rows.length === 0) return ok('incidents', 'every open one is worked on or waits for something');
  const fix = 'they go on within 30 s while Nightshift runs: start it, or look at its log for "reconciling failed"';
  return warn('incidents', `${rows[0]?.all} open without anybody at work: ${named(rows)}`, fix);
}

async function unknownActions(db: Database): Promise<Finding> {
  const { rows } = await sql<{ id: number; all: number }>`
    select a.incident_id as id, count(*) over ()::int as all from intent n join action a on a.id = n.action_id
      join incident i on i.id = a.incident_id
    where i.state not in (${CLOSED}) and (n.outcome = 'unknown'
      or (n.outcome is null and n.busy_until < clock_timestamp() - ${STUCK_SECONDS} * interval '1 second'))
    order by a.incident_id limit ${NAMED_MAX}`.execute(db.q);
  if (rows.length === 0) return ok('actions', 'of every one it is known what became of it');
  return warn(
    'actions',
    `nobody knows what became of ${rows[0]?.all}: ${named(rows)}`,
    'where the checks pass, theirs close by themselves; look at the targets of the others, then: nightshift close INC-…',
  );
}

async function jobs(db: Database): Promise<Finding> {
  if (!(await hasQueue(db))) return ok('jobs', 'there is no queue yet');
  const { waiting, oldest, failing } = await first<{ waiting: number; oldest: number; failing: number }>(
    db,
    sql`select count(*) filter (where due)::int as waiting, coalesce(max(age) filter (where due), 0)::int as oldest,
        count(*) filter (where state = 'failed' or (state in ('retry', 'active') and retry_count >= ${RETRIES_MANY}))::int as failing
      from (select state, retry_count, extract(epoch from clock_timestamp() - start_after) as age,
        state in ('created', 'retry') and start_after <= clock_timestamp() as due
        from pgboss.job where name = 'advance-incident' and state in ('created', 'retry', 'active', 'failed')) j`,
  );
  if (failing > 0)
    return warn('jobs', `${failing} keep(s) failing`, 'look in the log for "incident given back to the queue"');
  const what = `${waiting} wait(s)${waiting > 0 ? `, the oldest for ${oldest} s` : ''}`;
  const fix = 'see whether Nightshift runs; raise limits.concurrency, or start another replica';
  return oldest > WAITING_SECONDS ? warn('jobs', what, fix) : ok('jobs', what);
}

async function overload(db: Database): Promise<Finding> {
  const { shed, last } = await first<{ shed: number; last: number }>(
    db,
    sql`select count(*)::int as shed, coalesce(extract(epoch from clock_timestamp() - max(shed_at)), 0)::int as last
      from incident where shed_at > clock_timestamp() - interval '1 hour'`,
  );
  if (shed === 0) return ok('overload', 'every incident of the last hour was begun');
  const what = `${shed} incident(s) of the last hour went to people undiagnosed, the last ${last} s ago`;
  const fix =
    'raise limits.concurrency, start another replica, or let fewer alerts in; limits.queue says how many may wait';
  return warn('overload', what, fix);
}

async function messages(db: Database): Promise<Finding> {
  const { undelivered } = await first<{ undelivered: number }>(
    db,
    sql`select count(*)::int as undelivered from outbox where failed_at is not null and sent_at is null`,
  );
  if (undelivered === 0) return ok('messages', 'none that every channel failed to deliver');
  return fail(
    'messages',
    `${undelivered} that no channel gets through`,
    'look in the log for "a message to people", and mend a channel of escalation:',
  );
}

async function hasQueue(db: Database): Promise<boolean> {
  return (await first<{ there: boolean }>(db, sql`select to_regclass('pgboss.job') is not null as there`)).there;
}

function named(rows: readonly { readonly id: number; readonly all: number }[]): string {
  const more = (rows[0]?.all ?? 0) > rows.length ? ', …' : '';
  return `${rows.map(({ id }) => incidentName(id)).join(', ')}${more}`;
}

async function first<T>(db: Database, query: ReturnType<typeof sql>): Promise<T> {
  const { rows } = await query.execute(db.q);
  if (rows[0] === undefined) throw new Error('no row from a query that always gives one');
  return rows[0] as T;
}
