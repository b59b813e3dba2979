/** What alerts come in by, without a server and without anybody who works on incidents. */
import type { CorrelationConfig, Services } from '../../../src/config/index.ts';
import { parseServices } from '../../../src/config/services.ts';
import type { Database } from '../../../src/database/index.ts';
import { createIntake, type Delivery, type Intake } from '../../../src/ingest/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';

export const CORRELATION: CorrelationConfig = {
  by: ['alertname', 'service'],
  reopenWithinSeconds: 60,
  within: ['cluster', 'env'],
  windowSeconds: 600,
  storm: { incidents: 20, withinSeconds: 60 },
  unfoldAfterSeconds: 60,
  flapping: { times: 3, withinSeconds: 3600, quietSeconds: 600 },
};

/** Makes services out of the text of a services.yaml. */
export function servicesOf(text: string): Services {
  const { services, problems } = parseServices({ path: 'services.yaml', text, people: null });
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return services;
}

export function testIntake(
  db: Database,
  options: {
    correlation?: Partial<CorrelationConfig>;
    services?: Services;
    wake?: (ids: readonly number[]) => Promise<void>;
    watchdog?: Parameters<typeof createIntake>[0]['watchdog'];
  } = {},
): Intake {
  return createIntake({
    db,
    config: {
      correlation: { ...CORRELATION, ...options.correlation },
      services: options.services ?? servicesOf('services: []'),
    },
    watchdog: options.watchdog ?? null,
    wake: options.wake ?? (async () => {}),
    log: createLogger('silent'),
    onCommitted: () => {},
  });
}

/** Makes a delivery out of alerts that differ from one another in what is given. */
export function deliveryOf(
  alerts: readonly (Partial<Delivery['alerts'][number]> & { labels?: Record<string, string> })[],
  change: Partial<Delivery> = {},
): Delivery {
  return {
    source: 'alertmanager',
    sender: 'test',
    body: '{}',
    problems: [],
    alerts: alerts.map((alert, index) => ({
      source: 'alertmanager',
      fingerprint: `f${index}`,
      status: 'firing' as const,
      labels: { alertname: 'x' },
      annotations: {},
      startsAt: new Date('2026-11-01T10:00:00Z'),
      endsAt: null,
      generatorUrl: null,
      ...alert,
    })),
    ...change,
  };
}
