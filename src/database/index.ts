/** One Postgres, embedded or served, its schema and its transactions. Knows no table's meaning. */
export type { Guard } from './app-role.ts';
export { copyEmbedded } from './copy-embedded.ts';
export { Database, json } from './database.ts';
export { fillEmbedded, openEmbedded, readEmbedded } from './embedded.ts';
export { lockDataDir, lockFile } from './lock.ts';
export { listMigrations, migrate, migrateUpTo, tablesOfMigrations } from './migrate.ts';
export { fillPostgres, openPostgres, readPostgres } from './postgres.ts';
export type { Schema } from './schema.ts';
export { CONNECTIONS_MAX, databaseTrouble } from './trouble.ts';
