import { z } from 'zod';
import { defineTool, toolFailed } from '../tool.ts';
import { askPrometheus } from './client.ts';
import type { PrometheusSettings } from './settings.ts';

const SERIES_MAX = 100;
const SAMPLES_MAX = 200;
const TIMEOUT_SECONDS = 20;

const moment = z.iso.datetime({ offset: true });
const input = z.strictObject({
  query: z.string().min(1).max(4096).describe('A PromQL expression, for example rate(errors_total[5m]).'),
  start: moment.describe('The beginning, as RFC 3339.'),
  end: moment.optional().describe('The end, as RFC 3339; now if left out.'),
  stepSeconds: z
    .number()
    .int()
    .min(1)
    .max(86_400)
    .optional()
    .describe('Seconds between two samples; so many that there are at most 200 if left out.'),
});

const sample = z.tuple([z.number(), z.string()]);
const dataSchema = z.object({
  resultType: z.literal('matrix'),
  result: z.array(z.object({ metric: z.record(z.string(), z.string()), values: z.array(sample).default([]) })),
});

/** Evaluates one PromQL expression over a span of time. */
export const range = defineTool<PrometheusSettings, typeof input>({
  name: 'prometheus.range',
  description: `Evaluates a PromQL expression over a span of time. Returns at most ${SERIES_MAX} series of ${SAMPLES_MAX} samples, and says how many series it left out.`,
  input,
  risk: 'read',
  target: () => 'metrics',
  undo: 'nothing to undo',
  manifest: { requests: [{ method: 'POST', path: '/api/v1/query_range' }] },
  timeoutSeconds: TIMEOUT_SECONDS,
  run: async ({ query, start, end, stepSeconds }, context) => {
    const from = Date.parse(start);
    const to = end === undefined ? Date.now() : Date.parse(end);
    if (to <= from) throw toolFailed('end is not after start', { fix: 'give a start that lies before the end' });
    const finest = Math.max(1, Math.ceil((to - from) / 1000 / (SAMPLES_MAX - 1)));
    const step = stepSeconds ?? finest;
    if (step < finest) {
      const fix = `give stepSeconds of at least ${finest}, or a shorter span`;
      throw toolFailed(`more than ${SAMPLES_MAX} samples for each series would come back`, { fix });
    }
    const form = new URLSearchParams({
      query,
      start: String(from / 1000),
      end: String(to / 1000),
      step: String(step),
      timeout: `${TIMEOUT_SECONDS}s`,
    });
    const tooLargeFix = 'narrow the query with label matchers, sum by (...) or topk(...)';
    const call = { endpoint: 'query_range', form, data: dataSchema, tooLargeFix };
    const { data, warnings } = await askPrometheus(call, context);
    return {
      series: data.result.slice(0, SERIES_MAX),
      seriesLeftOut: Math.max(0, data.result.length - SERIES_MAX),
      stepSeconds: step,
      ...(warnings.length > 0 ? { warnings } : {}),
    };
  },
});
