/** Looks at the alerts and silences of an Alertmanager, and makes and ends silences for exact labels. It changes no route and no receiver. */
import { compileManifest } from '../manifest/compile.ts';
import { httpDriver } from '../manifest/http.ts';
import { loadManifests } from '../manifest/load.ts';
import { ownTools } from '../manifest/own.ts';
import { reachText } from '../manifest/requests.ts';
import { defineToolset } from '../tool.ts';
import { type AlertmanagerSettings, alertmanagerSettingsSchema, endpointOf } from './settings.ts';

const drivers = { http: httpDriver<AlertmanagerSettings>('Alertmanager', endpointOf) };

export const alertmanagerToolset = defineToolset<AlertmanagerSettings>({
  name: 'alertmanager',
  description: 'Lists alerts and silences of an Alertmanager; silences one alert for a while.',
  settings: alertmanagerSettingsSchema,
  privileges: ({ name, settings, tools }) =>
    reachText(
      [
        `Alertmanager has no accounts of its own: ${name} needs only to reach ${settings.url}, by these methods and paths.`,
        'Where a proxy stands before it, let it allow them and no others, to a login of Nightshift alone.',
      ],
      tools,
    ),
  own: ownTools(drivers),
  tools: loadManifests(import.meta.dirname).map((manifest) => compileManifest<AlertmanagerSettings>(manifest, drivers)),
});
