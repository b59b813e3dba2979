import { z } from 'zod';
import { matchesLabels } from '../../alert/index.ts';
import { defineTool, type ToolContext } from '../tool.ts';
import { askPrometheus } from './client.ts';
import type { PrometheusSettings } from './settings.ts';

const ALERTS_MAX = 200;

const labels = z.record(z.string(), z.string());
const dataSchema = z.object({
  alerts: z.array(
    z.object({
      labels,
      annotations: labels,
      state: z.enum(['pending', 'firing']),
      activeAt: z.string(),
      value: z.string(),
    }),
  ),
});

const input = z.strictObject({
  labels: z
    .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/, 'must be a label name'), z.string().max(1024))
    .refine((wanted) => Object.keys(wanted).length <= 32, 'must name at most 32 labels')
    .optional()
    .describe('Labels an alert must carry with exactly these values; leave it out to see all.'),
});

const rulesSchema = z.object({
  groups: z.array(z.looseObject({ rules: z.array(z.looseObject({ name: z.string() })) })),
});

/** Counts the alerting rules of a name: without one, that this Prometheus lists no such alert says nothing. */
async function countRules(name: string, context: ToolContext<PrometheusSettings>): Promise<number> {
  const tooLargeFix = 'look at the rules in Prometheus itself; there are too many to list';
  const { data } = await askPrometheus({ endpoint: 'rules?type=alert', data: rulesSchema, tooLargeFix }, context);
  return data.groups.flatMap(({ rules }) => rules).filter((rule) => rule.name === name).length;
}

/** Lists the alerts that Prometheus holds pending or firing. */
export const alerts = defineTool<PrometheusSettings, typeof input>({
  name: 'prometheus.alerts',
  description: `Lists alerts that are pending or firing in Prometheus now, at most ${ALERTS_MAX}. With labels.alertname it also counts the alerting rules of that name: where there is one, an alert that is not listed is not active.`,
  input,
  risk: 'read',
  target: () => 'alerts',
  undo: 'nothing to undo',
  manifest: {
    requests: [
      { method: 'GET', path: '/api/v1/alerts' },
      { method: 'GET', path: '/api/v1/rules' },
    ],
  },
  timeoutSeconds: 20,
  run: async ({ labels: wanted = {} }, context) => {
    const tooLargeFix = 'look at the alerts in Prometheus itself; there are too many to list';
    const { data } = await askPrometheus({ endpoint: 'alerts', data: dataSchema, tooLargeFix }, context);
    const matchers = Object.entries(wanted).map(([label, value]) => ({ label, operator: '=' as const, value }));
    const found = data.alerts.filter((alert) => matchesLabels(matchers, alert.labels));
    const name = wanted.alertname;
    const rules = name === undefined ? null : await countRules(name, context);
    return { rules, alerts: found.slice(0, ALERTS_MAX), alertsLeftOut: Math.max(0, found.length - ALERTS_MAX) };
  },
});
