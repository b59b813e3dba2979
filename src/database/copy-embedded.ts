import { readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Database } from './database.ts';

const CONTROL = 'global/pg_control';
const WAL = 'pg_wal';

/**
 * Copies the files of a running embedded database, which others go on using meanwhile: Postgres's own base backup. The copy is opened like
 * any data directory, and shows the moment at which the copying ended. Only the beginning holds up other queries, for one checkpoint.
 * Not more than one at a time.
 * @see https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
 * @throws whatever Postgres or the file system throws.
 */
export async function copyEmbedded(db: Database, dataDir: string, targetDir: string): Promise<void> {
  const [from, to] = [join(dataDir, 'postgres'), join(targetDir, 'postgres')];
  const start = await asOwner(db, `select pg_backup_start('nightshift', true) as lsn`);
  let stopped: Record<string, unknown> | null = null;
  const stop = async () => {
    stopped ??= await asOwner(db, 'select labelfile from pg_backup_stop(false)');
    return String(stopped.labelfile);
  };
  try {
    const isWal = (path: string) => path === WAL || path.startsWith(`${WAL}/`);
    await copyFolder(from, to, (path) => path === CONTROL || path === 'postmaster.pid' || isWal(path));
    const label = await stop();
    const first = /\(file ([0-9A-F]{24})\)/.exec(label)?.[1];
    if (!first) throw new Error(`Postgres names no segment after ${JSON.stringify(start)}`);
    // Whatever changed while it was copied is in the log since then.
    await copyFolder(from, to, (path) => !isWal(path) || isSegmentBefore(first, path));
    await writeFile(join(to, 'backup_label'), label, { mode: 0o600 });
    // In one piece: the database writes on this very thread.
    await writeFile(join(to, CONTROL), readFileSync(join(from, CONTROL)), { mode: 0o600 });
  } finally {
    await stop();
  }
}

function isSegmentBefore(first: string, path: string): boolean {
  const name = path.slice(WAL.length + 1);
  return /^[0-9A-F]{24}$/.test(name) && name < first;
}

async function asOwner(db: Database, statement: string): Promise<Record<string, unknown>> {
  return db.transaction(async () => {
    await db.executeSql('set local role none', []);
    const { rows } = await db.executeSql(statement, []);
    return (rows[0] ?? {}) as Record<string, unknown>;
  });
}

async function copyFolder(from: string, to: string, isLeftOut: (path: string) => boolean): Promise<void> {
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    const path = relative(from, join(entry.parentPath, entry.name));
    if (isLeftOut(path)) continue;
    if (entry.isDirectory()) await mkdir(join(to, path), { recursive: true, mode: 0o700 });
    else
      await mkdir(join(to, path, '..'), { recursive: true, mode: 0o700 })
        .then(() => copyFile(join(from, path), join(to, path)))
        .catch((error: NodeJS.ErrnoException) => {
          // A table that was dropped since is in nobody's way.
          if (error.code !== 'ENOENT') throw error;
        });
  }
}
