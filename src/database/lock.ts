import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { NightshiftError } from '../errors.ts';

const SQLITE_BUSY = 5;

/**
 * Takes the one lock of a data directory and returns the function that gives it back.
 * PGlite has no lock of its own, and two processes on one directory lose committed rows. The lock is SQLite's
 * exclusive file lock: atomic, and the kernel lets go of it when the process dies, however it dies.
 * @throws NightshiftError `data_dir_locked` naming the directory and the process that holds it.
 */
export function lockDataDir(directory: string): () => void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const owner = join(directory, 'lock.pid');
  const lock = new DatabaseSync(join(directory, 'lock'), { timeout: 0 });
  try {
    lock.exec('pragma journal_mode = off; begin exclusive');
  } catch (cause) {
    lock.close();
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw cause;
    const pid = readOwner(owner);
    const fix = 'stop the other Nightshift, give this one another dataDir, or set DATABASE_URL to share a Postgres';
    throw new NightshiftError('data_dir_locked', `${directory} is in use by another Nightshift${pid}. Fix: ${fix}`, {
      cause,
      problems: [{ field: 'dataDir', value: directory, message: `is in use by another Nightshift${pid}`, fix }],
    });
  }
  writeFileSync(owner, `${process.pid}\n`, { mode: 0o600 });
  return () => lock.close();
}

function readOwner(path: string): string {
  try {
    return ` (process ${readFileSync(path, 'utf8').trim()})`;
  } catch {
    return '';
  }
}
