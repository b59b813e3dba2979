import { messageOf, NightshiftError } from '../errors.ts';

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
