import { randomUUID } from 'node:crypto';
import { PgBoss } from 'pg-boss';
import type { Database } from '../database/index.ts';
import type { Logger } from '../telemetry/index.ts';

const QUEUE = 'advance-incident';
const SCHEMA = 'pgboss';
/** pg-boss's smallest; another replica takes over about this long after a worker died. */
const HEARTBEAT_SECONDS = 10;
const DAY_SECONDS = 86_400;

/** The right to advance one incident, until it is completed or its heartbeat lapses. */
export interface Lease {
  readonly incidentId: number;
  readonly attempt: { readonly id: string; readonly retryCount: number };
}

/** One job per incident, ever: queued, or in the hands of one worker. Called inside a transaction, all of it joins. */
export interface Queue {
  /** Enqueues the jobs of incidents, due now or later; gives the id of each, but none for one that has a job already. */
  enqueue(incidentIds: readonly number[], due: Date | null): Promise<ReadonlyMap<number, string>>;
  /** Makes a queued job due now, or at a time; does nothing to one that a worker holds. */
  pullForward(jobId: string, due?: Date): Promise<void>;
  /** Takes up to `max` jobs that are due. */
  take(max: number): Promise<Lease[]>;
  /** Gives a job back as done; tells whether this lease still held it. */
  complete(lease: Lease): Promise<boolean>;
  /** Gives a job back to be tried again with a growing delay. */
  giveBack(lease: Lease): Promise<void>;
  /** Keeps leases alive; gives those that are lost. */
  touch(leases: readonly Lease[]): Promise<Lease[]>;
  stop(): Promise<void>;
}

/** Starts the job queue on the same database: pg-boss in its own schema. */
export async function startQueue(db: Database, log: Logger): Promise<Queue> {
  const boss = new PgBoss({
    db: { executeSql: (text, values) => db.executeSql(text, values) },
    schema: SCHEMA,
    // A migration has made it, because the application's role may not.
    createSchema: false,
    backend: db.kind === 'embedded' ? 'pglite' : 'postgres',
    schedule: false,
    superviseIntervalSeconds: 2,
    monitorIntervalSeconds: 2,
    maintenanceIntervalSeconds: 600,
  });
  boss.on('error', (error) => log.error({ error }, 'job queue'));
  await boss.start();
  await boss.createQueue(QUEUE, {
    policy: 'exclusive',
    heartbeatSeconds: HEARTBEAT_SECONDS,
    retryLimit: 1_000_000,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: 30,
    expireInSeconds: DAY_SECONDS,
    retentionSeconds: 365 * DAY_SECONDS,
    deleteAfterSeconds: 3600,
  });
  if (db.kind === 'embedded') await releaseAll(db, boss);

  return {
    async enqueue(incidentIds, due) {
      const jobs = incidentIds.map((incident) => ({
        id: randomUUID(),
        data: { incident },
        singletonKey: String(incident),
        ...(due ? { startAfter: due } : {}),
      }));
      const made = new Set(jobs.length === 0 ? [] : await boss.insert(QUEUE, jobs, { returnId: true }));
      return new Map(jobs.filter(({ id }) => made.has(id)).map(({ id, data }) => [data.incident, id]));
    },
    async pullForward(jobId, due) {
      await boss.update(QUEUE, undefined, { id: jobId, startAfter: due ?? 0 });
    },
    async take(max) {
      const jobs = await boss.fetch<{ incident: number }>(QUEUE, { batchSize: max });
      return jobs.map(({ id, retryCount, data }) => ({ incidentId: data.incident, attempt: { id, retryCount } }));
    },
    async complete({ attempt }) {
      return affected(await boss.complete(QUEUE, attempt)).length === 1;
    },
    async giveBack({ attempt }) {
      await boss.fail(QUEUE, attempt);
    },
    async touch(leases) {
      if (leases.length === 0) return [];
      const kept = new Set(
        affected(
          await boss.touch(
            QUEUE,
            leases.map(({ attempt }) => attempt),
          ),
        ),
      );
      return leases.filter(({ attempt }) => !kept.has(attempt.id));
    },
    async stop() {
      await boss.stop({ graceful: false, close: false });
    },
  };
}

/** On the embedded database no other process can be at work, so whatever is held was held by one that is gone: no need to wait for its heartbeat. */
async function releaseAll(db: Database, boss: PgBoss): Promise<void> {
  const { rows } = await db.executeSql(`select id from ${SCHEMA}.job where name = $1 and state = 'active'`, [QUEUE]);
  const ids = (rows as { id: string }[]).map(({ id }) => id);
  if (ids.length > 0) await boss.fail(QUEUE, ids);
}

/** Ids of the jobs that a command really reached; pg-boss answers them but its types leave them out. */
function affected(response: object): string[] {
  return (response as { settled?: string[] }).settled ?? [];
}
