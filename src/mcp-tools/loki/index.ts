/** Asks Loki for log lines. It only reads. */
import { compileManifest } from '../manifest/compile.ts';
import { httpDriver } from '../manifest/http.ts';
import { loadManifests } from '../manifest/load.ts';
import { defineToolset } from '../tool.ts';
import { endpointOf, type LokiSettings, lokiSettingsSchema } from './settings.ts';

const drivers = { http: httpDriver<LokiSettings>('Loki', endpointOf) };

export const lokiToolset = defineToolset<LokiSettings>({
  name: 'loki',
  description: 'Asks Loki for log lines and for what it has of them.',
  settings: lokiSettingsSchema,
  tools: loadManifests(import.meta.dirname).map((manifest) => compileManifest<LokiSettings>(manifest, drivers)),
});
