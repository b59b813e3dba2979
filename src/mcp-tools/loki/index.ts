/** Asks Loki for log lines. It only reads. */
import { compileManifest } from '../manifest/compile.ts';
import { httpDriver } from '../manifest/http.ts';
import { loadManifests } from '../manifest/load.ts';
import { ownTools } from '../manifest/own.ts';
import { reachText } from '../manifest/requests.ts';
import { defineToolset } from '../tool.ts';
import { endpointOf, type LokiSettings, lokiSettingsSchema } from './settings.ts';

const drivers = { http: httpDriver<LokiSettings>('Loki', endpointOf) };

export const lokiToolset = defineToolset<LokiSettings>({
  name: 'loki',
  description: 'Asks Loki for log lines and for what it has of them.',
  settings: lokiSettingsSchema,
  privileges: ({ name, settings, tools }) =>
    reachText(
      [
        `Loki has no accounts of its own: ${name} needs only to reach ${settings.url}, by these methods and paths.`,
        'Where a proxy stands before it, let it allow them and no others, to a login of Nightshift alone.',
      ],
      tools,
    ),
  own: ownTools(drivers),
  tools: loadManifests(import.meta.dirname).map((manifest) => compileManifest<LokiSettings>(manifest, drivers)),
});
