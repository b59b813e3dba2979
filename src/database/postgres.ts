import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { messageOf, NightshiftError } from '../errors.ts';
import { type Guard, prepareAppRole, takeOn } from './app-role.ts';
import { Database, type Listener } from './database.ts';
import { migrate } from './migrate.ts';
import type { Schema } from './schema.ts';

const INT8 = 20;
const RECONNECT_MS = 1000;
const POOL_MAX = 10;

// ids and counts stay far below 2^53, where a number is exact.
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary'
      ? Number
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};

/**
 * Opens a served Postgres (15 or newer, with pgvector) and brings its schema up to date. Only that is done with the login's own
 * rights: every later connection takes on the application's role, or is not used.
 * @throws NightshiftError `database_unavailable` when it cannot be reached or has no pgvector; never shows the password.
 */
export function openPostgres(url: string): Promise<Database> {
  return open(url, async (pool) => {
    const kysely = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
    await migrate(kysely);
    return prepareAppRole(kysely);
  });
}

/**
 * Opens a served Postgres to look at it: no migration, and sessions that refuse to write.
 * @throws NightshiftError `database_unavailable` when it cannot be reached; never shows the password.
 */
export function readPostgres(url: string): Promise<Database> {
  return open(url, async () => ({ by: 'login', role: null }), 'set default_transaction_read_only = on');
}

async function open(
  url: string,
  prepare: (pool: pg.Pool) => Promise<Guard>,
  statement: string | null = null,
): Promise<Database> {
  const config = { connectionString: url, types, connectionTimeoutMillis: 5000, application_name: 'nightshift' };
  const setUp = new pg.Pool({ ...config, max: 1 });
  // An idle connection that the server closes is replaced on the next query.
  setUp.on('error', () => {});
  let guard: Guard;
  try {
    await setUp.query('select 1');
    guard = await prepare(setUp);
  } catch (cause) {
    throw unavailable(url, cause);
  } finally {
    await setUp.end();
  }
  const first = takeOn(guard) ?? statement;
  // pg-pool hands out a new connection only once this has worked, though its types do not tell that it waits.
  const hook = first === null ? {} : { onConnect: (client: pg.ClientBase) => client.query(first) };
  const pool = new pg.Pool({ ...config, ...hook, max: POOL_MAX });
  pool.on('error', () => {});
  return new Database(new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) }), {
    kind: 'postgres',
    guard,
    execute: async (text, values) => {
      const result: pg.QueryResult | pg.QueryResult[] = await pool.query(text, values);
      return { rows: Array.isArray(result) ? result.flatMap(({ rows }) => rows) : result.rows };
    },
    listen: (channel, listener) => listen(config, channel, listener),
    // Destroying kysely has ended the pool.
    close: async () => {},
  });
}

function unavailable(url: string, cause: unknown): NightshiftError {
  const { host } = new URL(url);
  const fix = /vector/.test(messageOf(cause))
    ? 'install pgvector on that server (package postgresql-NN-pgvector), or let a superuser run: create extension vector'
    : 'check that it runs, and the host, port, user and password in DATABASE_URL';
  return new NightshiftError(
    'database_unavailable',
    `the database at ${host} does not answer as it should: ${messageOf(cause)}. Fix: ${fix}`,
    { cause, problems: [{ field: 'DATABASE_URL', value: host, message: messageOf(cause), fix }] },
  );
}

async function listen(config: pg.ClientConfig, channel: string, listener: Listener): Promise<() => Promise<void>> {
  let closed = false;
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  const connect = async (): Promise<void> => {
    if (closed) return;
    const next = new pg.Client({ ...config, keepAlive: true });
    let lost = false;
    const reconnect = () => {
      if (lost || closed) return;
      lost = true;
      timer = setTimeout(() => void connect(), RECONNECT_MS);
    };
    next.on('error', reconnect);
    next.on('end', reconnect);
    next.on('notification', ({ payload }) => listener(payload ?? ''));
    try {
      await next.connect();
      await next.query(`listen "${channel.replaceAll('"', '""')}"`);
      client = next;
      listener('');
    } catch {
      reconnect();
    }
  };
  await connect();
  return async () => {
    closed = true;
    clearTimeout(timer);
    await client?.end();
  };
}
