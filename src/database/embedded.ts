import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { vector } from '@electric-sql/pglite-pgvector';
import { Kysely, PGliteDialect, sql } from 'kysely';
import { NightshiftError } from '../errors.ts';
import { type Guard, prepareAppRole, takeOn } from './app-role.ts';
import { Database } from './database.ts';
import { lockDataDir } from './lock.ts';
import { migrate } from './migrate.ts';
import type { Schema } from './schema.ts';

const FOLDER = 'postgres';

/**
 * Opens the embedded Postgres (PGlite with pgvector) under a data directory, locked against a second process;
 * with null it lives in memory. Survives `kill -9`; a power loss may cost the last seconds (PGlite never calls fsync).
 * @throws NightshiftError `data_dir_locked`.
 */
export function openEmbedded(dataDir: string | null): Promise<Database> {
  return open(dataDir, async (kysely) => {
    await migrate(kysely);
    const guard = await prepareAppRole(kysely);
    const statement = takeOn(guard);
    if (statement) await sql.raw(statement).execute(kysely);
    return guard;
  });
}

/**
 * Opens the embedded Postgres of a stopped Nightshift to look at it: no migration, and no writing.
 * @throws NightshiftError `data_dir_locked`, or `not_found` where there is none.
 */
export async function readEmbedded(dataDir: string): Promise<Database> {
  if (!existsSync(join(dataDir, FOLDER))) {
    const fix = 'set NIGHTSHIFT_DATA_DIR to the data directory, or DATABASE_URL';
    throw new NightshiftError('not_found', `there is no database in ${dataDir}. Fix: ${fix}`);
  }
  return open(dataDir, async (kysely) => {
    await sql`set default_transaction_read_only = on`.execute(kysely);
    return { by: 'login', role: null };
  });
}

async function open(dataDir: string | null, prepare: (kysely: Kysely<Schema>) => Promise<Guard>): Promise<Database> {
  const unlock = dataDir === null ? () => {} : lockDataDir(dataDir);
  try {
    const pglite = await PGlite.create({
      ...(dataDir === null ? {} : { dataDir: join(dataDir, FOLDER) }),
      extensions: { vector, pg_trgm },
    });
    const kysely = new Kysely<Schema>({ dialect: new PGliteDialect({ pglite }) });
    return new Database(kysely, {
      kind: 'embedded',
      guard: await prepare(kysely),
      execute: async (text, values) => {
        if (values?.length) return pglite.query(text, values);
        const results = await pglite.exec(text);
        return { rows: results.flatMap((result) => result.rows) };
      },
      listen: async (channel, listener) => {
        const unlisten = await pglite.listen(channel, listener);
        return () => unlisten();
      },
      close: async () => {
        if (!pglite.closed) await pglite.close();
        unlock();
      },
    });
  } catch (error) {
    unlock();
    throw error;
  }
}
