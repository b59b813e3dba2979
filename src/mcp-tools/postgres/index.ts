/** Looks into a Postgres server and ends what holds it up. It runs the statements of its manifests, and never one that somebody else wrote. */
import { compileManifest } from '../manifest/compile.ts';
import { loadManifests } from '../manifest/load.ts';
import { ownTools } from '../manifest/own.ts';
import { sqlDriver } from '../manifest/sql.ts';
import { defineToolset } from '../tool.ts';
import { postgresPrivileges } from './privileges.ts';
import { reindex } from './reindex.ts';
import { clientConfig, type PostgresSettings, postgresSettingsSchema } from './settings.ts';

const drivers = { sql: sqlDriver(clientConfig) };

export const postgresToolset = defineToolset<PostgresSettings>({
  name: 'postgres',
  description:
    'Looks at sessions, locks, replication and sizes of a Postgres server; cancels queries, ends sessions, rebuilds indexes and drops replication slots.',
  settings: postgresSettingsSchema,
  privileges: postgresPrivileges,
  own: ownTools(drivers),
  tools: [
    ...loadManifests(import.meta.dirname).map((manifest) => compileManifest<PostgresSettings>(manifest, drivers)),
    reindex,
  ],
});
