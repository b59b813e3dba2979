/** One Postgres, embedded or served, its schema and its transactions. Knows no table's meaning. */
export type { Guard } from './app-role.ts';
export { Database, json } from './database.ts';
export { openEmbedded, readEmbedded } from './embedded.ts';
export { openPostgres, readPostgres } from './postgres.ts';
export type { Schema } from './schema.ts';
export { databaseTrouble } from './trouble.ts';
