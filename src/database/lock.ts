import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, NightshiftError } from '../errors.ts';

const SQLITE_BUSY = 5;

/**
 * Takes the one lock of a data directory and returns the function that gives it back.
 * PGlite has no lock of its own, and two processes on one directory lose committed rows.
 * @throws NightshiftError `data_dir_locked` naming the directory and the process that holds it, or `invalid_config` where it cannot be made or written.
 */
export function lockDataDir(directory: string): () => void {
  const owner = join(directory, 'lock.pid');
  let unlock: (() => void) | null = null;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    unlock = lockFile(join(directory, 'lock'));
    if (unlock) writeFileSync(owner, `${process.pid}\n`, { mode: 0o600 });
  } catch (cause) {
    unlock?.();
    throw unusable(directory, cause);
  }
  if (unlock) return unlock;
  const pid = readOwner(owner);
  const fix =
    'stop the other Nightshift, or give this one another dataDir (replicas share a Postgres by DATABASE_URL, and each has a dataDir of its own)';
  throw new NightshiftError('data_dir_locked', `${directory} is in use by another Nightshift${pid}. Fix: ${fix}`, {
    problems: [{ field: 'dataDir', value: directory, message: `is in use by another Nightshift${pid}`, fix }],
  });
}

/**
 * Takes SQLite's exclusive lock of a file and gives what lets go of it, or null where another holds it: atomic, and the kernel lets go of it when
 * the process dies, however it dies. @throws whatever SQLite says of a file that cannot be made or written.
 */
export function lockFile(path: string): (() => void) | null {
  const lock = new DatabaseSync(path, { timeout: 0 });
  try {
    lock.exec('pragma journal_mode = off; begin exclusive');
    return () => lock.close();
  } catch (cause) {
    lock.close();
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY) return null;
    throw cause;
  }
}

function unusable(directory: string, cause: unknown): NightshiftError {
  const fix = 'give the user that runs Nightshift this folder (rwx), or set dataDir (NIGHTSHIFT_DATA_DIR) to another';
  const message = `cannot be used: ${messageOf(cause)}`;
  return new NightshiftError('invalid_config', `the data directory ${directory} ${message}. Fix: ${fix}`, {
    cause,
    problems: [{ field: 'dataDir', value: directory, message, fix }],
  });
}

function readOwner(path: string): string {
  try {
    return ` (process ${readFileSync(path, 'utf8').trim()})`;
  } catch {
    return '';
  }
}
