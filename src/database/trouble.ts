import { messageOf, NightshiftError } from '../errors.ts';

/** How many connections one Nightshift may take: ten that work, one that listens, one that keeps leases. */
export const CONNECTIONS_MAX = 12;

/** Postgres's code for a server, a database or a role that has no connection left. */
export const NO_CONNECTION_LEFT = '53300';
export const NO_CONNECTION_LEFT_FIX = `let it have ${CONNECTIONS_MAX} (max_connections of the server, CONNECTION LIMIT of the role or the database), or stop what holds them`;

/**
 * Tells what a failure of the database means for whoever asked: `invalid_payload` where it holds what Postgres cannot store,
 * `database_unavailable` where trying again may help, or null where it is nothing of the kind.
 */
export function databaseTrouble(error: unknown): NightshiftError | null {
  const { code } = (error ?? {}) as { code?: string };
  if (code === '22021' || code === '22P05') {
    const [message, fix] = ['holds a character that cannot be stored', 'leave out NUL characters'];
    return new NightshiftError('invalid_payload', `body: ${message}. Fix: ${fix}`, {
      cause: error,
      problems: [{ field: 'body', message, fix }],
    });
  }
  if (!isTrouble(code, messageOf(error))) return null;
  const message = 'the database does not answer, so nothing was accepted; send it again';
  return new NightshiftError('database_unavailable', message, { cause: error });
}

/** Connection trouble, lost races, and the classes 08, 53, 57 (connection, resources, shutdown) of Postgres's error codes. */
function isTrouble(code: string | undefined, message: string): boolean {
  if (code !== undefined && /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|08|40001|40P01|53|57)/.test(code)) return true;
  return /Connection terminated|is not queryable|connection has been discarded|connection timeout|timeout exceeded when trying to connect|PGlite (instance )?is (already )?closed|driver has already been destroyed/i.test(
    message,
  );
}
