import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { Kysely, PGliteDialect } from 'kysely';
import { Database } from './database.ts';
import { lockDataDir } from './lock.ts';
import { migrate } from './migrate.ts';
import type { Schema } from './schema.ts';

/**
 * Opens the embedded Postgres (PGlite with pgvector) under a data directory, locked against a second process;
 * with null it lives in memory. Survives `kill -9`; a power loss may cost the last seconds (PGlite never calls fsync).
 * @throws NightshiftError `data_dir_locked`.
 */
export async function openEmbedded(dataDir: string | null): Promise<Database> {
  const unlock = dataDir === null ? () => {} : lockDataDir(dataDir);
  try {
    const pglite = await PGlite.create({
      ...(dataDir === null ? {} : { dataDir: join(dataDir, 'postgres') }),
      extensions: { vector },
    });
    const kysely = new Kysely<Schema>({ dialect: new PGliteDialect({ pglite }) });
    await migrate(kysely);
    return new Database(kysely, {
      kind: 'embedded',
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
