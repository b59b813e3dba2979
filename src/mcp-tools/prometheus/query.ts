import { z } from 'zod';
import { defineTool } from '../tool.ts';
import { askPrometheus } from './client.ts';
import type { PrometheusSettings } from './settings.ts';

const SERIES_MAX = 200;
/** Samples a range selector may bring along for each series; the newest are kept. */
const SAMPLES_MAX = 100;
const TIMEOUT_SECONDS = 20;

const sample = z.tuple([z.number(), z.string()]);
const bucket = z.tuple([z.number(), z.string(), z.string(), z.string()]);
const histogram = z.tuple([
  z.number(),
  z.object({ count: z.string(), sum: z.string(), buckets: z.array(bucket).optional() }),
]);
const metric = z.record(z.string(), z.string());

const dataSchema = z.discriminatedUnion('resultType', [
  z.object({
    resultType: z.literal('vector'),
    result: z.array(z.object({ metric, value: sample.optional(), histogram: histogram.optional() })),
  }),
  z.object({
    resultType: z.literal('matrix'),
    result: z.array(
      z.object({ metric, values: z.array(sample).optional(), histograms: z.array(histogram).optional() }),
    ),
  }),
  z.object({ resultType: z.literal('scalar'), result: sample }),
  z.object({ resultType: z.literal('string'), result: sample }),
]);
type QueryData = z.infer<typeof dataSchema>;

const input = z.strictObject({
  query: z.string().min(1).max(4096).describe('A PromQL expression, for example up{job="checkout"} == 0.'),
  time: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('The moment to evaluate at, as RFC 3339; now if left out.'),
});

/** Evaluates one PromQL expression at one moment. */
export const query = defineTool<PrometheusSettings, typeof input>({
  name: 'prometheus.query',
  description: `Evaluates a PromQL expression at one moment. Returns at most ${SERIES_MAX} series, and says how many it left out.`,
  input,
  risk: 'read',
  target: () => 'metrics',
  undo: 'nothing to undo',
  manifest: { requests: [{ method: 'POST', path: '/api/v1/query' }] },
  timeoutSeconds: TIMEOUT_SECONDS,
  run: async ({ query, time }, context) => {
    // Prometheus itself stops at this timeout, so that a heavy query does not outlive our interest in it.
    const form = new URLSearchParams({ query, timeout: `${TIMEOUT_SECONDS}s` });
    if (time !== undefined) form.set('time', time);
    const tooLargeFix = 'narrow the query with label matchers, sum by (...) or topk(...)';
    const { data, warnings } = await askPrometheus({ endpoint: 'query', form, data: dataSchema, tooLargeFix }, context);
    return { ...bounded(data), ...(warnings.length > 0 ? { warnings } : {}) };
  },
});

function bounded(data: QueryData) {
  if (data.resultType === 'scalar' || data.resultType === 'string') return { ...data, seriesLeftOut: 0 };
  const seriesLeftOut = Math.max(0, data.result.length - SERIES_MAX);
  if (data.resultType === 'vector') return { ...data, result: data.result.slice(0, SERIES_MAX), seriesLeftOut };
  let samplesLeftOut = 0;
  const newest = <T>(samples: readonly T[]) => {
    samplesLeftOut += Math.max(0, samples.length - SAMPLES_MAX);
    return samples.slice(-SAMPLES_MAX);
  };
  const result = data.result.slice(0, SERIES_MAX).map(({ metric, values, histograms }) => ({
    metric,
    ...(values ? { values: newest(values) } : {}),
    ...(histograms ? { histograms: newest(histograms) } : {}),
  }));
  return { ...data, result, seriesLeftOut, samplesLeftOut };
}
