import { sql } from 'kysely';
import type { RetentionConfig } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { type Failpoint, noFailpoint } from '../failpoints.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { giveUpAudit } from './give-up-audit.ts';
import { createWalk, details, incidents } from './incidents.ts';
import { byId, byTime, spendingOfDays, wordsOfNothing } from './rows.ts';
import { type Batch, sweep } from './sweep.ts';

const HOUR_MS = 3_600_000;
const FIRST_MS = 600_000;
/** Four times what samples are compared with. */
const SAMPLES_DAYS = 30;
/** Of an hour: replicas that were started at once do not look at once for ever. */
const JITTER = 0.2;

export interface Retention {
  /** Begins within ten minutes, and looks again every hour. */
  start(): void;
  /** Ends after the batch that is under way. */
  stop(): Promise<void>;
  /** Deletes now whatever may go; gives the number of rows of each kind that lost any. Never throws; failures are logged. */
  runNow(): Promise<Record<string, number>>;
}

export interface RetentionDependencies {
  readonly db: Database;
  readonly config: RetentionConfig;
  /** Seals what is committed; see `Sealer`. */
  readonly sealNow: () => Promise<number>;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly failpoint?: Failpoint;
}

/**
 * Makes what deletes what is over and old, kind after kind: hourly, in batches that are small, rest in between, and are one
 * replica's at a time. What fails is logged and left for the next hour.
 */
export function createRetention({
  db,
  config,
  sealNow,
  metrics,
  log,
  failpoint = noFailpoint,
}: RetentionDependencies): Retention {
  const stopping = new AbortController();
  const walks = { details: createWalk(), incidents: createWalk() };
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();

  const { signal } = stopping;
  const clear = (batch: Batch) => sweep(db, batch, signal, failpoint);
  const batches = {
    deliveries: (days: number) => clear(byId(db, 'delivery', { time: 'received_at', days })),
    'alerts of no incident': (days: number) =>
      clear(byId(db, 'alert', { time: 'last_seen_at', days, among: sql`incident_id is null` })),
    'model calls': (days: number) => clear(byId(db, 'model_call', { time: 'at', days })),
    messages: (days: number) => clear(byId(db, 'outbox', { time: 'created_at', days, such: sql`sent_at is not null` })),
    maintenances: (days: number) => clear(byTime(db, 'maintenance', 'ends_at', days)),
    details: (days: number) => clear(details(db, walks.details, days)),
    audit: (days: number) => giveUpAudit({ db, sealNow, log }, days, signal),
    'spending of days': (days: number) => clear(spendingOfDays(db, days)),
    incidents: (days: number) => clear(incidents(db, walks.incidents, days, daysOf(config.learned))),
    'past incidents': (days: number) => clear(byTime(db, 'past_incident', 'closed_at', days)),
    'outcomes of remedies': (days: number) => clear(byTime(db, 'remedy_outcome', 'at', days)),
    'samples of itself': (days: number) => clear(byTime(db, 'slo_sample', 'at', days)),
    'answers kept for repeats': (days: number) => clear(byTime(db, 'idempotency_key', 'created_at', days)),
    'words of runbooks': () => clear(wordsOfNothing(db)),
  } satisfies Record<string, (days: number) => Promise<number>>;
  const plan: readonly [keyof typeof batches, RetentionConfig[keyof RetentionConfig]][] = [
    ['deliveries', config.deliveries],
    ['alerts of no incident', config.deliveries],
    ['model calls', config.modelCalls],
    ['messages', config.messages],
    ['maintenances', config.messages],
    ['details', config.details],
    ['audit', config.audit],
    ['spending of days', config.audit],
    ['incidents', config.incidents],
    ['past incidents', config.learned],
    ['outcomes of remedies', config.learned],
    ['samples of itself', SAMPLES_DAYS],
    ['answers kept for repeats', 1],
    ['words of runbooks', 0],
  ];

  async function run(): Promise<Record<string, number>> {
    const deleted: Record<string, number> = {};
    const begun = performance.now();
    let failures = 0;
    for (const walk of Object.values(walks)) walk.round();
    for (const [kind, kept] of plan) {
      const days = daysOf(kept);
      if (days === null || signal.aborted) continue;
      try {
        const rows = await batches[kind](days);
        if (rows > 0) deleted[kind] = rows;
        metrics.retentionDeleted.inc({ kind }, rows);
      } catch (error) {
        failures += 1;
        metrics.retentionFailures.inc({ kind });
        log.error({ kind, error: messageOf(error) }, 'cannot delete what is older than it is kept');
      }
    }
    // What a stop cut short is no round.
    if (!signal.aborted) {
      metrics.retentionSeconds.set((performance.now() - begun) / 1000);
      if (failures === 0) metrics.retentionRanAt.setToCurrentTime();
    }
    if (Object.keys(deleted).length > 0) log.info({ rows: deleted }, 'deleted what is older than it is kept');
    return deleted;
  }

  /** One round at a time in this process. */
  function runNow(): Promise<Record<string, number>> {
    const round = running.then(run);
    running = round;
    return round;
  }

  function schedule(ms: number): void {
    timer = setTimeout(() => void runNow().finally(() => signal.aborted || schedule(HOUR_MS)), jittered(ms));
  }

  return {
    runNow,
    start() {
      schedule(FIRST_MS);
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await running;
    },
  };
}

function daysOf(kept: number | 'forever'): number | null {
  return kept === 'forever' ? null : kept;
}

function jittered(ms: number): number {
  return ms * (1 - JITTER * Math.random());
}
