/** What ships for monitoring Nightshift, as it is read by the tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

export const RULES_FILE = join(ROOT, 'deploy/prometheus/nightshift-rules.yaml');
export const RULES_TEST_FILES = ['nightshift-rules.test.yaml', 'nightshift-rules-days.test.yaml'].map((name) =>
  join(ROOT, 'deploy/prometheus', name),
);
export const RULES_TEXT = read('deploy/prometheus/nightshift-rules.yaml');
export const MONITORING_DOC = read('docs/monitoring.md');

const rulesSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          record: z.string().optional(),
          alert: z.string().optional(),
          expr: z.string(),
          labels: z.record(z.string(), z.string()).default({}),
          annotations: z.record(z.string(), z.string()).default({}),
        }),
      ),
    }),
  ),
});

const { groups } = rulesSchema.parse(parse(RULES_TEXT));
const rules = groups.flatMap((group) => group.rules);
export const RECORDED = rules.flatMap(({ record }) => record ?? []);
export const ALERTS = rules.flatMap(({ alert, ...rule }) => (alert === undefined ? [] : [{ alert, ...rule }]));
export const EXPRESSIONS = rules.map(({ expr }) => expr);

/** Gives the names of the metrics of Nightshift that an expression is about; what stands in quotes is a value. */
export function metricsIn(expression: string): string[] {
  const bare = expression.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  return [...bare.matchAll(/[a-z_:]*nightshift[a-z0-9_:]*/g)].map(([name]) => name);
}

/** Gives every name of a metric that a text in Prometheus's format has, those of histograms as they are asked for. */
export function namesIn(exposition: string): Set<string> {
  const typed = [...exposition.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return new Set(
    typed.flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
}

const targetSchema = z.object({
  refId: z.string(),
  datasource: z.object({ type: z.literal('prometheus'), uid: z.string().regex(/^\$\{datasource\}$/) }),
  expr: z.string().min(1),
});
const gridSchema = z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() });
const panelSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('row'), id: z.number(), title: z.string(), gridPos: gridSchema }),
  z.object({
    type: z.enum(['timeseries', 'stat']),
    id: z.number(),
    title: z.string().min(1),
    gridPos: gridSchema,
    datasource: targetSchema.shape.datasource,
    targets: z.array(targetSchema).min(1),
  }),
]);

export const DASHBOARD = z
  .object({
    uid: z.string(),
    title: z.string(),
    schemaVersion: z.number().min(39),
    templating: z.object({ list: z.array(z.object({ name: z.string(), type: z.string(), query: z.string() })) }),
    annotations: z.object({ list: z.array(z.object({ expr: z.string() })) }),
    panels: z.array(panelSchema),
  })
  .parse(JSON.parse(read('deploy/grafana/nightshift.json')));
