/**
 * Asks Prometheus for metrics and for the alerts it holds.
 * It never writes, deletes, reloads or silences anything there.
 */
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
  tools: [query, range, series, alerts],
});
