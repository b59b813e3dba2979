import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { NightshiftError } from '../errors.ts';
import type { Schema } from './schema.ts';

const DIRECTORY = join(import.meta.dirname, '../../migrations');

/**
 * Brings the database to the newest schema, in order, under the migrator's own lock.
 * @throws NightshiftError `internal` naming the migration that failed; earlier ones stay applied.
 */
export async function migrate(db: Kysely<Schema>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: readMigrations } });
  const { error, results } = await migrator.migrateToLatest();
  if (!error) return;
  const failed = results?.find((result) => result.status === 'Error')?.migrationName ?? 'the set-up';
  const reason = error instanceof Error ? error.message : String(error);
  throw new NightshiftError('internal', `migration ${failed} failed: ${reason}`, { cause: error });
}

async function readMigrations(): Promise<Record<string, Migration>> {
  const files = (await readdir(DIRECTORY)).filter((file) => file.endsWith('.sql')).sort();
  const entries = files.map(async (file): Promise<[string, Migration]> => {
    const text = await readFile(join(DIRECTORY, file), 'utf8');
    // PGlite's extended protocol takes one statement at a time.
    const statements = text
      .split(/;\s*\n(?:\s*\n|$)/)
      .filter((statement) => statement.replace(/--.*$/gm, '').trim() !== '');
    const up = async (db: Kysely<unknown>) => {
      for (const statement of statements) await sql.raw(statement).execute(db);
    };
    return [file.replace(/\.sql$/, ''), { up }];
  });
  return Object.fromEntries(await Promise.all(entries));
}
