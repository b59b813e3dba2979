import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';

/** How often the event loop is timed; less than this it is never late by. */
const EVENT_LOOP_MS = 20;

let metrics: readonly Metric[] | undefined;

/** Gives the metrics of this process and its Node (processor, memory, event loop, garbage), which are measured once however many ask. */
export function processMetrics(): readonly Metric[] {
  if (metrics) return metrics;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_MS });
  const made = registry.getMetricsAsArray().flatMap(({ name }) => registry.getSingleMetric(name) ?? []);
  metrics = made;
  return made;
}
