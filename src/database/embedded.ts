import { existsSync } from 'node:fs';
import { open as openFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect, sql } from 'kysely';
import { messageOf, NightshiftError } from '../errors.ts';
import { type Guard, prepareAppRole, takeOn } from './app-role.ts';
import { isDamage, readEveryTable } from './damage.ts';
import { Database } from './database.ts';
import { lockDataDir } from './lock.ts';
import { migrate } from './migrate.ts';
import type { Schema } from './schema.ts';

const FOLDER = 'postgres';
/** A database that is not whole yet. */
const UNFINISHED = 'postgres.unfinished';

/**
 * Opens the embedded Postgres (PGlite with pgvector) under a data directory, locked against a second process;
 * with null it lives in memory. Survives `kill -9`; a power loss may cost the last seconds (PGlite never calls fsync).
 * @throws NightshiftError `data_dir_locked`, or `data_dir_damaged` where what is there cannot be read.
 */
export function openEmbedded(dataDir: string | null): Promise<Database> {
  return open(dataDir, async (kysely) => {
    await readEveryTable(kysely);
    await migrate(kysely);
    const guard = await prepareAppRole(kysely);
    const statement = takeOn(guard);
    if (statement) await sql.raw(statement).execute(kysely);
    return guard;
  });
}

/**
 * Opens the embedded Postgres of a stopped Nightshift to look at it: no migration, and no writing.
 * @throws NightshiftError `data_dir_locked`, `data_dir_damaged`, or `not_found` where there is none.
 */
export async function readEmbedded(dataDir: string): Promise<Database> {
  if (!existsSync(join(dataDir, FOLDER))) {
    const fix = 'set NIGHTSHIFT_DATA_DIR to the data directory';
    throw new NightshiftError('not_found', `there is no database in ${dataDir}. Fix: ${fix}`);
  }
  return open(dataDir, async (kysely) => {
    await sql`set default_transaction_read_only = on`.execute(kysely);
    return { by: 'login', role: null };
  });
}

/**
 * Fills a new embedded database, which takes its place in the data directory only once `fill` is done: whatever ends the process
 * before leaves a data directory without a database.
 * @throws NightshiftError `data_dir_locked`, or `conflict` where there is a database already.
 */
export async function fillEmbedded(dataDir: string, fill: (db: Database) => Promise<void>): Promise<void> {
  const [place, unfinished] = [join(dataDir, FOLDER), join(dataDir, UNFINISHED)];
  const unlock = lockDataDir(dataDir);
  try {
    if (existsSync(place)) {
      const fix = `move it away (mv ${place} ${place}.old), or set NIGHTSHIFT_DATA_DIR to another data directory`;
      throw new NightshiftError('conflict', `there is a database in ${place} already. Fix: ${fix}`);
    }
    await rm(unfinished, { recursive: true, force: true });
    const db = await openFolder(unfinished, async () => ({ by: 'login', role: null }));
    try {
      await fill(db);
    } finally {
      await db.close();
    }
    await flush(unfinished);
    await rename(unfinished, place);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  } finally {
    unlock();
  }
}

/** What PGlite never does: makes sure that a power loss cannot take it any more. */
async function flush(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = await openFile(join(entry.parentPath, entry.name));
    await file.sync().finally(() => file.close());
  }
}

type Prepare = (kysely: Kysely<Schema>) => Promise<Guard>;

async function open(dataDir: string | null, prepare: Prepare): Promise<Database> {
  if (dataDir === null) return openFolder(null, prepare);
  const unlock = lockDataDir(dataDir);
  try {
    return await openFolder(join(dataDir, FOLDER), prepare, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

async function openFolder(folder: string | null, prepare: Prepare, onClosed: () => void = () => {}): Promise<Database> {
  const isThere = folder !== null && existsSync(join(folder, 'PG_VERSION'));
  let pglite: PGlite | undefined;
  try {
    const opened = await openPglite(folder);
    pglite = opened;
    const kysely = new Kysely<Schema>({ dialect: new PGliteDialect({ pglite: opened }) });
    const execute = async (text: string, values?: unknown[]) => {
      if (values?.length) return opened.query(text, values);
      const results = await opened.exec(text);
      return { rows: results.flatMap((result) => result.rows) };
    };
    return new Database(kysely, {
      kind: 'embedded',
      guard: await prepare(kysely),
      // It is in this process, and keeps no statements.
      prepare: () => {},
      execute,
      executeAside: execute,
      listen: async (channel, listener) => {
        const unlisten = await opened.listen(channel, listener);
        return () => unlisten();
      },
      close: async () => {
        if (!opened.closed) await opened.close();
        onClosed();
      },
    });
  } catch (error) {
    if (!isThere || (pglite && !isDamage(error))) throw error;
    const fix = 'restore a backup of it; see docs/operations.md';
    throw new NightshiftError(
      'data_dir_damaged',
      `the embedded database in ${folder} is damaged: ${messageOf(error)}. Fix: ${fix}`,
      { cause: error },
    );
  }
}

/** Loaded here, because with a served Postgres nobody needs it. */
async function openPglite(folder: string | null): Promise<PGlite> {
  const [{ PGlite: Embedded }, { pg_trgm }, { vector }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('@electric-sql/pglite/contrib/pg_trgm'),
    import('@electric-sql/pglite-pgvector'),
  ]);
  return Embedded.create({ ...(folder === null ? {} : { dataDir: folder }), extensions: { vector, pg_trgm } });
}
