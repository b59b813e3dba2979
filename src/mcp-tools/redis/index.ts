/** Looks into a Redis server, empties declared caches, and ends what holds it up. It reads no values, runs no script and flushes nothing without two people. */
import { compileManifest } from '../manifest/compile.ts';
import { loadManifests } from '../manifest/load.ts';
import { ownTools } from '../manifest/own.ts';
import { defineToolset } from '../tool.ts';
import { sendRedis } from './client.ts';
import { deletePrefix } from './delete-prefix.ts';
import { redisPrivileges } from './privileges.ts';
import { type RedisSettings, redisSettingsSchema } from './settings.ts';

const drivers = { redis: sendRedis };

export const redisToolset = defineToolset<RedisSettings>({
  name: 'redis',
  description:
    'Looks into a Redis server, deletes the keys of declared caches, ends clients and changes declared settings.',
  settings: redisSettingsSchema,
  privileges: redisPrivileges,
  own: ownTools(drivers),
  tools: [
    ...loadManifests(import.meta.dirname).map((manifest) => compileManifest<RedisSettings>(manifest, drivers)),
    deletePrefix,
  ],
});
