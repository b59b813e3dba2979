/**
 * Asks Prometheus for metrics and for the alerts it holds.
 * It never writes, deletes, reloads or silences anything there.
 */
import { reachText } from '../manifest/requests.ts';
import { defineToolset } from '../tool.ts';
import { alerts } from './alerts.ts';
import { query } from './query.ts';
import { range } from './range.ts';
import { series } from './series.ts';
import { type PrometheusSettings, prometheusSettingsSchema } from './settings.ts';

export const prometheusToolset = defineToolset<PrometheusSettings>({
  name: 'prometheus',
  description: 'Metrics and alerts in Prometheus.',
  settings: prometheusSettingsSchema,
  privileges: ({ name, settings, tools }) =>
    reachText(
      [
        `Prometheus has no accounts of its own: ${name} needs only to reach ${settings.url}, by these methods and paths.`,
        'Where a proxy stands before it, let it allow them and no others, to a login of Nightshift alone.',
      ],
      tools,
    ),
  tools: [query, range, series, alerts],
});
