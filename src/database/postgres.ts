import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { messageOf, NightshiftError } from '../errors.ts';
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
 * Opens a served Postgres (15 or newer, with pgvector) and brings its schema up to date.
 * @throws NightshiftError `database_unavailable` when it cannot be reached or has no pgvector; never shows the password.
 */
export async function openPostgres(url: string): Promise<Database> {
  const config = { connectionString: url, types, connectionTimeoutMillis: 5000, application_name: 'nightshift' };
  const pool = new pg.Pool({ ...config, max: POOL_MAX });
  // An idle connection that the server closes is replaced on the next query.
  pool.on('error', () => {});
  const kysely = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  try {
    await pool.query('select 1');
    await migrate(kysely);
  } catch (cause) {
    await pool.end();
    const { host } = new URL(url);
    const fix = /vector/.test(messageOf(cause))
      ? 'install pgvector on that server (package postgresql-NN-pgvector), or let a superuser run: create extension vector'
      : 'check that it runs, and the host, port, user and password in DATABASE_URL';
    throw new NightshiftError(
      'database_unavailable',
      `the database at ${host} does not answer as it should: ${messageOf(cause)}. Fix: ${fix}`,
      {
        cause,
        problems: [{ field: 'DATABASE_URL', value: host, message: messageOf(cause), fix }],
      },
    );
  }
  return new Database(kysely, {
    kind: 'postgres',
    execute: async (text, values) => {
      const result: pg.QueryResult | pg.QueryResult[] = await pool.query(text, values);
      return { rows: Array.isArray(result) ? result.flatMap(({ rows }) => rows) : result.rows };
    },
    listen: (channel, listener) => listen(config, channel, listener),
    // Destroying kysely has ended the pool.
    close: async () => {},
  });
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
