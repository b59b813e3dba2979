import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import { type Migration, type MigrationResultSet, Migrator } from 'kysely/migration';
import { NightshiftError } from '../errors.ts';
import type { Schema } from './schema.ts';

const DIRECTORY = join(import.meta.dirname, '../../migrations');

/**
 * Brings the database to the newest schema, in order, under the migrator's own lock. One that a newer version has brought further stays as it
 * is: what is added there is survived by this one.
 * @throws NightshiftError `internal` naming the migration that failed; earlier ones stay applied.
 */
export async function migrate(db: Kysely<Schema>): Promise<void> {
  await run(db, (migrator) => migrator.migrateToLatest());
}

/** Brings an empty database, or the current transaction on one, to an earlier schema. @throws NightshiftError as `migrate` does. */
export async function migrateUpTo(db: Kysely<Schema>, name: string): Promise<void> {
  await run(db, (migrator) => migrator.migrateTo(name));
}

/** Lists the names of all migrations, in order. */
export async function listMigrations(): Promise<string[]> {
  return Object.keys(await readMigrations());
}

/** Lists the tables that any migration has made, though a later one may have dropped them: whatever else is in the schema is not ours. */
export async function tablesOfMigrations(): Promise<string[]> {
  const files = (await readdir(DIRECTORY)).filter((file) => file.endsWith('.sql'));
  const texts = await Promise.all(files.map((file) => readFile(join(DIRECTORY, file), 'utf8')));
  return texts.flatMap((text) =>
    [...text.matchAll(/^create table (?:if not exists )?(\w+)|^alter table \w+ rename to (\w+)/gm)].map(
      ([, made, renamed]) => made ?? renamed ?? '',
    ),
  );
}

async function run(db: Kysely<Schema>, go: (migrator: Migrator) => Promise<MigrationResultSet>): Promise<void> {
  const known = await readMigrations();
  const migrations = { ...known, ...(await laterThan(db, Object.keys(known).at(-1) ?? '')) };
  const { error, results } = await go(new Migrator({ db, provider: { getMigrations: async () => migrations } }));
  if (!error) return;
  const failed = results?.find((result) => result.status === 'Error')?.migrationName ?? 'the set-up';
  const reason = error instanceof Error ? error.message : String(error);
  throw new NightshiftError('internal', `migration ${failed} failed: ${reason}`, { cause: error });
}

/** What a newer version has done already; an older one starts again beside it, or after it was taken back. */
async function laterThan(db: Kysely<Schema>, last: string): Promise<Record<string, Migration>> {
  const { rows: made } = await sql<{ there: boolean }>`
    select to_regclass('kysely_migration') is not null as there`.execute(db);
  if (!made[0]?.there) return {};
  const { rows } = await sql<{ name: string }>`select name from kysely_migration where name > ${last}`.execute(db);
  return Object.fromEntries(rows.map(({ name }) => [name, { up: async () => {} }]));
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
