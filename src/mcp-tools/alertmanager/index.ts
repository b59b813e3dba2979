/** Looks at the alerts and silences of an Alertmanager, and makes and ends silences for exact labels. It changes no route and no receiver. */
import { compileManifest } from '../manifest/compile.ts';
import { httpDriver } from '../manifest/http.ts';
import { loadManifests } from '../manifest/load.ts';
import { defineToolset } from '../tool.ts';
import { type AlertmanagerSettings, alertmanagerSettingsSchema, endpointOf } from './settings.ts';

const drivers = { http: httpDriver<AlertmanagerSettings>('Alertmanager', endpointOf) };

export const alertmanagerToolset = defineToolset<AlertmanagerSettings>({
  name: 'alertmanager',
  description: 'Lists alerts and silences of an Alertmanager; silences one alert for a while.',
  settings: alertmanagerSettingsSchema,
  tools: loadManifests(import.meta.dirname).map((manifest) => compileManifest<AlertmanagerSettings>(manifest, drivers)),
});
