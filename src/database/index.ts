/** One Postgres, embedded or served, its schema and its transactions. Knows no table's meaning. */
export { Database, json } from './database.ts';
export { openEmbedded } from './embedded.ts';
export { openPostgres } from './postgres.ts';
export type { Schema } from './schema.ts';
