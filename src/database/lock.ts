import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, NightshiftError } from '../errors.ts';

const SQLITE_BUSY = 5;

/**
 * Takes the one lock of a data directory and returns the function that gives it back.
 * PGlite has no lock of its own, and two processes on one directory lose committed rows. The lock is SQLite's
 * exclusive file lock: atomic, and the kernel lets go of it when the process dies, however it dies.
 * @throws NightshiftError `data_dir_locked` naming the directory and the process that holds it, or `invalid_config` where it cannot be made or written.
 */
export function lockDataDir(directory: string): () => void {
  const owner = join(directory, 'lock.pid');
  const lock = openLock(directory);
  try {
    lock.exec('pragma journal_mode = off; begin exclusive');
    writeFileSync(owner, `${process.pid}\n`, { mode: 0o600 });
  } catch (cause) {
    lock.close();
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw unusable(directory, cause);
    const pid = readOwner(owner);
    const fix =
      'stop the other Nightshift, or give this one another dataDir (replicas share a Postgres by DATABASE_URL, and each has a dataDir of its own)';
    throw new NightshiftError('data_dir_locked', `${directory} is in use by another Nightshift${pid}. Fix: ${fix}`, {
      cause,
      problems: [{ field: 'dataDir', value: directory, message: `is in use by another Nightshift${pid}`, fix }],
    });
  }
  return () => lock.close();
}

function openLock(directory: string): DatabaseSync {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return new DatabaseSync(join(directory, 'lock'), { timeout: 0 });
  } catch (cause) {
    throw unusable(directory, cause);
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
