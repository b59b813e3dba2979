import { z } from 'zod';
import { defineTool } from '../tool.ts';
import { askPrometheus } from './client.ts';
import type { PrometheusSettings } from './settings.ts';

const SERIES_MAX = 200;

const input = z.strictObject({
  match: z.string().min(1).max(4096).describe('A selector of series, for example up{job="checkout"}.'),
});

const dataSchema = z.array(z.record(z.string(), z.string()));

/** Lists which series there are, so that a query can be written that finds them. */
export const series = defineTool<PrometheusSettings, typeof input>({
  name: 'prometheus.series',
  description: `Lists the series of the last hour that a selector finds, by their labels. Returns at most ${SERIES_MAX}, and says how many it left out.`,
  input,
  risk: 'read',
  target: () => 'metrics',
  undo: 'nothing to undo',
  manifest: { requests: [{ method: 'POST', path: '/api/v1/series' }] },
  timeoutSeconds: 20,
  run: async ({ match }, context) => {
    const now = Date.now() / 1000;
    const form = new URLSearchParams({ 'match[]': match, start: String(now - 3600), end: String(now) });
    const tooLargeFix = 'narrow the selector with label matchers';
    const { data, warnings } = await askPrometheus(
      { endpoint: 'series', form, data: dataSchema, tooLargeFix },
      context,
    );
    return {
      series: data.slice(0, SERIES_MAX),
      seriesLeftOut: Math.max(0, data.length - SERIES_MAX),
      ...(warnings.length > 0 ? { warnings } : {}),
    };
  },
});
