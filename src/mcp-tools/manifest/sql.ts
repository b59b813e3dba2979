import pg from 'pg';
import { messageOf, type NightshiftError } from '../../errors.ts';
import { cutShort, toolFailed } from '../tool.ts';
import type { Asked, Driver, SqlRequest } from './drivers.ts';

const ROWS_MAX = 200;
const CONNECT_MS_MAX = 5_000;
const INT8 = 20;

/**
 * Makes the driver for one SQL statement with parameters, on a connection of its own that ends with it. A look runs in a read-only
 * transaction; a change outside of any, since some (`reindex … concurrently`) cannot run in one.
 */
export function sqlDriver<Settings>(clientOf: (settings: Settings) => pg.ClientConfig): Driver<SqlRequest, Settings> {
  return ({ text, values }, asked) =>
    withPostgres(clientOf(asked.settings), asked, async (client) => {
      const { rows, rowCount } = await client.query<Record<string, unknown>>(text, [...values]);
      return {
        rows: JSON.parse(JSON.stringify(rows.slice(0, ROWS_MAX))),
        rowsLeftOut: Math.max(0, (rowCount ?? 0) - ROWS_MAX),
      };
    });
}

/**
 * Runs something on a connection of its own. The server itself ends a statement when the call's time is up, and is told to when the
 * caller goes away before.
 * @throws NightshiftError `tool_failed` where the server cannot be reached, refuses, or does not answer in time; OutcomeUnknown where it
 * was sent a change and gave no answer.
 */
export async function withPostgres<T>(
  config: pg.ClientConfig,
  { signal, readOnly, timeoutSeconds }: Omit<Asked<unknown>, 'settings'>,
  run: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const settings: pg.ClientConfig = {
    application_name: 'nightshift',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    statement_timeout: timeoutSeconds * 1000,
    types: { getTypeParser },
    ...config,
  };
  const client = new pg.Client(settings);
  // What the server says after the end is of no interest, and must not end the process.
  client.on('error', () => {});
  const gone = Promise.withResolvers<never>();
  gone.promise.catch(() => {});
  const abort = () => {
    gone.reject(signal.reason);
    const { processID } = client as unknown as { processID: number | null };
    if (processID) void cancel(settings, processID);
  };
  signal.addEventListener('abort', abort, { once: true });
  let isSent = false;
  try {
    signal.throwIfAborted();
    const work = (async () => {
      await client.connect();
      if (readOnly) await client.query('begin read only');
      isSent = !readOnly;
      const answer = await run(client);
      if (readOnly) await client.query('rollback');
      return answer;
    })();
    return await Promise.race([work, gone.promise]);
  } catch (cause) {
    if (signal.aborted) throw cutShort('Postgres did not answer in time', isSent, { cause });
    if (isSent && !isRefusal(cause))
      throw cutShort(`the connection to Postgres at ${config.host}:${config.port} broke: ${messageOf(cause)}`, isSent);
    throw explain(cause, `${config.host}:${config.port}`);
  } finally {
    signal.removeEventListener('abort', abort);
    const ended = client.end().catch(() => {});
    if (!signal.aborted) await ended;
  }
}

/** To go away is not enough: a server notices that only once the statement is done. */
async function cancel(settings: pg.ClientConfig, processId: number): Promise<void> {
  const client = new pg.Client({ ...settings, statement_timeout: CONNECT_MS_MAX });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select pg_cancel_backend($1)', [processId]);
  } catch {
    // The time limit that the statement was given still ends it.
  } finally {
    await client.end().catch(() => {});
  }
}

/** Counts and sizes are numbers here; beyond 2^53 nobody compares them to the last digit. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  return oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text');
}

/** As Postgres gives them; `EPIPE` is none. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;
const FIXES: Readonly<Record<string, string>> = {
  '28P01': 'correct the password in the settings of this toolset',
  '28000': 'let the role of this toolset come in from here, in pg_hba.conf, if it may',
  '3D000': 'correct the database in the settings of this toolset',
  '42P01':
    'look whether what is missing comes from an extension, such as pg_stat_statements, and make it in this database',
  '42501': 'grant the role of this toolset what it lacks, if it may do this',
  '53300': 'end idle sessions, or reserve connections for the role of this toolset',
  '57014': 'look whether the server is overloaded, or waits for a lock',
};

/** What the server itself said; a statement that it refused changed nothing. */
function isRefusal(cause: unknown): boolean {
  return SQLSTATE.test((cause as { code?: string }).code ?? '');
}

function explain(cause: unknown, at: string): NightshiftError {
  const { code = '' } = cause as { code?: string };
  if (!isRefusal(cause)) {
    const fix = 'check that it runs, and the address in the settings of this toolset';
    return toolFailed(`cannot reach Postgres at ${at}: ${messageOf(cause)}`, { cause, fix });
  }
  const fix = FIXES[code];
  return toolFailed(`Postgres refused: ${messageOf(cause)}`, { cause, ...(fix ? { fix } : {}) });
}
