import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/telemetry/index.ts';

const DOC = readFileSync(join(import.meta.dirname, '../../../docs/monitoring.md'), 'utf8');

/** How docs/monitoring.md lists a metric. */
async function rows(): Promise<string[]> {
  const { registry } = createMetrics();
  const ours = registry.getMetricsAsArray().filter(({ name }) => name.startsWith('nightshift_'));
  return ours.map(({ name, type, help }) => {
    const { labelNames } = registry.getSingleMetric(name) as unknown as { labelNames: readonly string[] };
    const labels = labelNames.map((label) => `\`${label}\``).join(', ') || '–';
    return `| \`${name}\` | ${type} | ${labels} | ${help} |`;
  });
}

describe('the metrics', () => {
  it('stand in docs/monitoring.md as they are, and no others', async () => {
    const told = DOC.split('\n').filter((line) => line.startsWith('| `nightshift_'));
    expect(told).toEqual(await rows());
  });

  it('reach beyond the longest timeout of what they measure', async () => {
    const { toolCalls, modelCalls, stages } = createMetrics();
    for (const histogram of [toolCalls, modelCalls, stages]) {
      const { upperBounds } = histogram as unknown as { upperBounds: readonly number[] };
      // Of a model, of a tool and of an investigation, as the configuration may set them.
      expect(Math.max(...upperBounds)).toBeGreaterThanOrEqual(600);
      expect(upperBounds).toEqual(upperBounds.toSorted((a, b) => a - b));
    }
  });

  it('begin at zero where one of them is alerted on', async () => {
    const text = await createMetrics().registry.metrics();
    expect(text).toContain('nightshift_incidents_shed_total{severity="info"} 0');
    expect(text).toContain('nightshift_notifications_total{channel="all",outcome="failed"} 0');
    expect(text).toContain('nightshift_snapshots_total{outcome="failed"} 0');
  });

  it('measure the process once, however many there are', async () => {
    const [one, two] = [createMetrics(), createMetrics()];
    expect(await one.registry.metrics()).toMatch(/^process_resident_memory_bytes \d/m);
    const name = 'process_cpu_seconds_total';
    expect(one.registry.getSingleMetric(name)).toBe(two.registry.getSingleMetric(name));
  });
});
