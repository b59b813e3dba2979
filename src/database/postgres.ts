import { Socket } from 'node:net';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { messageOf, NightshiftError } from '../errors.ts';
import { type Guard, prepareAppRole, takeOn } from './app-role.ts';
import { Database, type Listener } from './database.ts';
import { migrate } from './migrate.ts';
import { PreparingClient, prepare } from './prepared.ts';
import type { Schema } from './schema.ts';
import { NO_CONNECTION_LEFT, NO_CONNECTION_LEFT_FIX } from './trouble.ts';

const INT8 = 20;
const RECONNECT_MS = 1000;
const POOL_MAX = 10;
/** How long a request waits for its turn at a connection; that the server itself is silent is noticed sooner. */
const TURN_MS_MAX = 15_000;
/** No statement of the application takes this long, nor does a transaction wait for anything else. */
const STATEMENT_MS_MAX = 5000;
/** The server gives up first where it is still there; where it is not, nobody else would tell us for a quarter of an hour. */
const SILENCE_MS_MAX = 6000;
const BEAT_MS = 2000;
/** Before silence would end it, so that it is taken leave of. */
const IDLE_MS_MAX = 5000;
/** A session whose client has vanished must not go on holding its locks. */
const LIMITS = `set statement_timeout = ${STATEMENT_MS_MAX}; set idle_in_transaction_session_timeout = ${STATEMENT_MS_MAX}`;
/** Filling a database takes as long as it takes. */
const NO_LIMITS = 'set statement_timeout = 0; set idle_in_transaction_session_timeout = 0';

// ids and counts stay far below 2^53, where a number is exact.
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary'
      ? Number
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};

/**
 * Opens a served Postgres (15 or newer, with pgvector) and brings its schema up to date. Only that is done with the login's own
 * rights and may take its time: every later connection takes on the application's role, or is not used, and fails within seconds
 * where the server does not answer.
 * @throws NightshiftError `database_unavailable` when it cannot be reached or has no pgvector; never shows the password.
 */
export function openPostgres(url: string): Promise<Database> {
  const bringUp = async (pool: pg.Pool) => {
    const kysely = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
    await migrate(kysely);
    return prepareAppRole(kysely);
  };
  return open(url, bringUp, LIMITS, {
    connectionTimeoutMillis: TURN_MS_MAX,
    idleTimeoutMillis: IDLE_MS_MAX,
    stream: createSocket,
  });
}

/**
 * Opens a served Postgres to look at it: no migration, and sessions that refuse to write.
 * @throws NightshiftError `database_unavailable` when it cannot be reached; never shows the password.
 */
export function readPostgres(url: string): Promise<Database> {
  return open(url, async () => ({ by: 'login', role: null }), 'set default_transaction_read_only = on');
}

/**
 * Opens a served Postgres as it is, with the login's own rights and without the limits of the application, hands it to `fill` and
 * closes it.
 * @throws NightshiftError `database_unavailable` when it cannot be reached; never shows the password.
 */
export async function fillPostgres(url: string, fill: (db: Database) => Promise<void>): Promise<void> {
  const db = await open(url, async () => ({ by: 'login', role: null }), NO_LIMITS);
  try {
    await fill(db);
  } finally {
    await db.close();
  }
}

async function open(
  url: string,
  bringUp: (pool: pg.Pool) => Promise<Guard>,
  statement: string,
  options: pg.PoolConfig = {},
): Promise<Database> {
  const config = { connectionString: url, types, connectionTimeoutMillis: 5000, application_name: 'nightshift' };
  const setUp = quiet(new pg.Pool({ ...config, max: 1 }));
  let guard: Guard;
  try {
    await setUp.query('select 1');
    guard = await bringUp(setUp);
  } catch (cause) {
    throw unavailable(url, cause);
  } finally {
    await setUp.end();
  }
  const first = [statement, takeOn(guard)].filter((one) => one !== null).join('; ');
  // pg-pool hands out a new connection only once this has worked, though its types do not tell that it waits.
  const hook = { onConnect: (client: pg.ClientBase) => client.query(first) };
  const poolOf = (max: number) => quiet(new pg.Pool({ ...config, ...options, ...hook, max, Client: PreparingClient }));
  const pool = poolOf(POOL_MAX);
  const aside = poolOf(1);
  return new Database(new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) }), {
    kind: 'postgres',
    guard,
    prepare,
    execute: (text, values) => execute(pool, text, values),
    executeAside: (text, values) => execute(aside, text, values),
    // Under a name of its own, by which an administrator of the server knows it.
    listen: (channel, listener) =>
      listen({ ...config, application_name: 'nightshift listener', stream: createSocket }, channel, listener),
    // Destroying kysely has ended the other pool.
    close: async () => {
      if (!aside.ending) await aside.end();
    },
  });
}

async function execute(pool: pg.Pool, text: string, values?: unknown[]): Promise<{ rows: unknown[] }> {
  const result: pg.QueryResult | pg.QueryResult[] = await pool.query(text, values);
  return { rows: Array.isArray(result) ? result.flatMap(({ rows }) => rows) : result.rows };
}

/**
 * Hears of the errors of all connections, because one that nobody hears of ends the process, and the pool itself hears of idle ones only.
 * What is under way on a lost connection fails by itself; the next query gets another one.
 */
function quiet(pool: pg.Pool): pg.Pool {
  return pool.on('error', () => {}).on('connect', (client) => void client.on('error', () => {}));
}

/** A connection on which nothing has come or gone for that long is given up: the next one may find another way. */
function createSocket(): Socket {
  const socket = new Socket();
  const late = () => Object.assign(new Error('the database has fallen silent'), { code: 'ETIMEDOUT' });
  return socket.setTimeout(SILENCE_MS_MAX, () => socket.destroy(late()));
}

function unavailable(url: string, cause: unknown): NightshiftError {
  const { host } = new URL(url);
  const fix = fixFor(cause);
  return new NightshiftError(
    'database_unavailable',
    `the database at ${host} does not answer as it should: ${messageOf(cause)}. Fix: ${fix}`,
    { cause, problems: [{ field: 'DATABASE_URL', value: host, message: messageOf(cause), fix }] },
  );
}

const NO_SUCH_DATABASE = '3D000';

function fixFor(cause: unknown): string {
  const extension = /pg_trgm|vector/.exec(messageOf(cause))?.[0];
  const packages = { vector: 'pgvector (package postgresql-NN-pgvector)', pg_trgm: 'postgresql-contrib' };
  if (extension)
    return `install ${packages[extension as keyof typeof packages]} on that server, or let a superuser run: create extension ${extension}`;
  const { code } = (cause ?? {}) as { code?: unknown };
  if (code === NO_CONNECTION_LEFT) return NO_CONNECTION_LEFT_FIX;
  if (code === NO_SUCH_DATABASE) return 'make it (createdb, as a user who may), or correct the name in DATABASE_URL';
  return 'check that it runs, and the host, port, user and password in DATABASE_URL';
}

async function listen(config: pg.ClientConfig, channel: string, listener: Listener): Promise<() => Promise<void>> {
  let closed = false;
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  const connect = async (): Promise<void> => {
    if (closed) return;
    const next = new pg.Client(config);
    let lost = false;
    const reconnect = () => {
      if (lost || closed) return;
      lost = true;
      clearTimeout(timer);
      timer = setTimeout(() => void connect(), RECONNECT_MS);
    };
    // Whoever only listens would never notice that there is nobody left to say anything.
    const beat = async (): Promise<void> => {
      await next.query('select 1');
      if (!lost && !closed) timer = setTimeout(() => void beat().catch(reconnect), BEAT_MS);
    };
    next.on('error', reconnect);
    next.on('end', reconnect);
    next.on('notification', ({ payload }) => listener(payload ?? ''));
    try {
      await next.connect();
      await next.query(`listen "${channel.replaceAll('"', '""')}"`);
      client = next;
      listener('');
      await beat();
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
