import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfig } from '../../src/config/index.ts';
import type { Database } from '../../src/database/index.ts';
import { type Context, type Outcome, openIncidents, type State } from '../../src/incident/index.ts';
import { createDriver, startQueue } from '../../src/remediation/index.ts';
import { createLogger, createMetrics } from '../../src/telemetry/index.ts';

const WAY: readonly State[] = [
  'received',
  'triaged',
  'investigated',
  'diagnosed',
  'planned',
  'awaiting_approval',
  'acting',
  'verifying',
  'resolved',
];
const NOTE = 'x'.repeat(600);
const BECAUSE = 'x'.repeat(200);
const log = createLogger('silent');

type Stages = Parameters<typeof createDriver>[0]['stages'];

/** Stages that know at once what comes next; each leaves a result and a line in the timeline. */
function instantStages(): Stages {
  const stages = Object.fromEntries(
    WAY.map((state, at) => {
      const next = WAY[at + 1];
      const outcome: Outcome = next
        ? {
            state: next,
            context: { lateEvidence: [NOTE] } as Partial<Context>,
            events: [{ type: 'bench.moved', actor: 'nightshift', data: { from: state, to: next, because: BECAUSE } }],
          }
        : { state, wait: { until: null } };
      return [state, async () => outcome];
    }),
  );
  return stages as unknown as Stages;
}

/**
 * Lets the real driver, with its real queue, take incidents through eight transitions each, with stages that take no time; gives the
 * incidents in a second, from its start to the end of the last.
 */
export async function measureIncidents(
  db: Database,
  { runs, concurrency }: { runs: number; concurrency: number },
): Promise<number> {
  const queue = await startQueue(db, log);
  const config = parseConfig({ env: {}, directory: '/', toolsetSettings: {}, file: null, readFile: () => null });
  const driver = createDriver({
    ...{ db, queue, concurrency, config, log },
    stages: instantStages(),
    metrics: createMetrics(),
    failpoint: () => {},
  });
  const ids = await db.transaction(async () => {
    const opened = await openIncidents(
      db,
      Array.from({ length: runs }, (_, index) => ({
        state: 'received' as const,
        correlationKey: `bench ${process.hrtime.bigint()} ${index}`,
        title: 'CheckoutDown',
        severity: 'warning',
        labels: { alertname: 'CheckoutDown', service: `service-${index}` },
        context: { v: 1 as const },
        because: 'a benchmark',
        actor: 'bench',
      })),
    );
    await driver.wake(opened);
    return opened;
  });
  const started = performance.now();
  await driver.start();
  try {
    const last = Math.max(...ids);
    for (;;) {
      const left = await db.q
        .selectFrom('incident')
        .select('id')
        .where('closed_at', 'is', null)
        .where('id', '<=', last)
        .limit(1)
        .executeTakeFirst();
      if (!left) return runs / ((performance.now() - started) / 1000);
      await sleep(20);
    }
  } finally {
    await driver.stop();
    await queue.stop();
  }
}
