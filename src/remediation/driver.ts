import { sql } from 'kysely';
import type { Config } from '../config/index.ts';
import { type Database, json } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import {
  alertsOf,
  CLOSED_STATES,
  childrenOf,
  createJournal,
  foldByCause,
  type Incident,
  incidentName,
  isClosed,
  loadIncident,
  lockOpenings,
  type Outcome,
  type Signal,
  signalsOf,
  tellWhoHasIt,
  unfoldAll,
  type Work,
} from '../incident/index.ts';
import { type Logger, type Metrics, withCorrelation } from '../telemetry/index.ts';
import { afterFailure, Fenced, land } from './land.ts';
import type { Lease, Queue } from './queue.ts';
import type { Stages } from './stages.ts';

const CHANNEL = 'nightshift';
const POLL_MS = 1000;
const TOUCH_MS = 4000;
const RECONCILE_MS = 30_000;
/** Without a deadline an incident is looked at again after this, in case a wake-up went missing. */
const IDLE_MS = 24 * 3600 * 1000;

export interface Driver {
  /** Wakes incidents inside the current transaction; call `kick` once it has committed. */
  wake(incidentIds: readonly number[]): Promise<void>;
  /** Looks for work now. */
  kick(): void;
  start(): Promise<void>;
  /** Takes no more work, and waits until what is under way has landed or parked. */
  stop(): Promise<void>;
}

export interface DriverDependencies {
  readonly db: Database;
  readonly queue: Queue;
  readonly stages: Stages;
  readonly concurrency: number;
  readonly config: Pick<Config, 'correlation' | 'services'>;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly failpoint: (name: string) => void;
}

/** Makes the driver of all incidents: each is advanced by one worker at a time, stage after stage, until it waits or ends. */
export function createDriver(dependencies: DriverDependencies): Driver {
  const { db, queue, stages, concurrency, metrics, log, failpoint } = dependencies;
  const { correlation, services } = dependencies.config;
  const active = new Map<Lease, AbortController>();
  const timers: NodeJS.Timeout[] = [];
  let looking = false;
  let lookAgain = false;
  let stopping = false;
  let unlisten: (() => Promise<void>) | undefined;

  async function wake(incidentIds: readonly number[]): Promise<void> {
    if (incidentIds.length === 0) return;
    const rows = await db.q
      .updateTable('incident')
      .set({ wake_seq: sql<number>`wake_seq + 1` })
      .where('id', 'in', incidentIds)
      // With this statement, because each is a round trip; it is sent at the commit all the same.
      .returning(['id', 'job_id', sql`pg_notify(${CHANNEL}, '')`.as('notified')])
      .execute();
    await enqueue(
      rows.filter((row) => row.job_id === null).map((row) => row.id),
      null,
    );
    for (const { job_id: jobId } of rows) if (jobId !== null) await queue.pullForward(jobId);
  }

  async function enqueue(incidentIds: readonly number[], due: Date | null): Promise<void> {
    const jobs = [...(await queue.enqueue(incidentIds, due))].map(([incident, job]) => ({ incident, job }));
    if (jobs.length === 0) return;
    await sql`
      update incident i set job_id = j.job from jsonb_to_recordset(${json(jobs)}) as j(incident bigint, job uuid)
      where i.id = j.incident`.execute(db.q);
  }

  /** What was folded under an incident that is over is looked at again, once its own alerts have had time to resolve. */
  async function unfold({ id }: Incident, state: Outcome['state']): Promise<void> {
    const children = await unfoldAll(db, id, state, correlation.storm);
    if (children.length === 0) return;
    const due = new Date(Date.now() + correlation.unfoldAfterSeconds * 1000);
    const rows = await db.q.selectFrom('incident').select('job_id').where('id', 'in', children).execute();
    await enqueue(children, due);
    for (const { job_id: jobId } of rows) if (jobId !== null) await queue.pullForward(jobId, due);
  }

  function kick(): void {
    lookAgain = true;
    if (!looking && !stopping) void look();
  }

  async function look(): Promise<void> {
    looking = true;
    try {
      while (lookAgain && !stopping && active.size < concurrency) {
        lookAgain = false;
        const free = concurrency - active.size;
        const leases = await queue.take(free);
        if (leases.length === free) lookAgain = true;
        for (const lease of leases) void run(lease);
      }
    } catch (error) {
      log.error({ error: messageOf(error) }, 'cannot look for work');
    } finally {
      looking = false;
    }
  }

  async function run(lease: Lease): Promise<void> {
    const controller = new AbortController();
    active.set(lease, controller);
    try {
      await advance(lease, controller.signal);
    } catch (error) {
      if (error instanceof Fenced)
        log.warn({ incident: incidentName(lease.incidentId) }, 'another worker has this incident now');
      else {
        log.error(
          { incident: incidentName(lease.incidentId), error: messageOf(error) },
          'incident given back to the queue',
        );
        await queue.giveBack(lease).catch(() => {});
      }
    } finally {
      active.delete(lease);
      kick();
    }
  }

  /** Runs stage after stage; each lands in one transaction, or not at all. */
  async function advance(lease: Lease, abort: AbortSignal): Promise<void> {
    for (;;) {
      const incident = await loadIncident(db, lease.incidentId);
      const signals = await signalsOf(db, incident.id);
      const outcome = await withCorrelation({ incident: incidentName(incident.id), trace: incident.traceId }, () =>
        runStage(incident, signals, lease, abort),
      );
      failpoint(`land.before.${outcome.state}`);
      const landed = await landWith(lease, incident, outcome, signals).catch((error: unknown) => {
        if (error instanceof Fenced) throw error;
        // What cannot be committed counts as the stage's failure, so that it ends with a person and not in an endless retry.
        log.error(
          { incident: incidentName(incident.id), state: incident.state, error: messageOf(error) },
          'cannot land',
        );
        return landWith(lease, incident, afterFailure(incident, error), []);
      });
      failpoint(`land.after.${outcome.state}`);
      if (landed === 'moved') throw new Fenced();
      if (landed === 'woken') continue;
      if (incident.state !== outcome.state) {
        metrics.transitions.inc({ state: outcome.state });
        log.info(
          { incident: incidentName(incident.id), trace: incident.traceId, from: incident.state, to: outcome.state },
          'transition',
        );
      }
      if (landed === 'left') return;
    }
  }

  /** Commits an outcome, and gives the job back when the incident then waits or is over. */
  async function landWith(
    lease: Lease,
    incident: Incident,
    outcome: Outcome,
    signals: readonly Signal[],
  ): Promise<'moved' | 'woken' | 'go on' | 'left'> {
    return db.transaction(async () => {
      // Nothing may be folded under an incident at the moment that it is over, nor stay under one that is over when it opens again.
      if (isClosed(outcome.state) !== isClosed(incident.state)) await lockOpenings(db);
      const done = await land(db, incident, outcome, signals);
      if (done !== 'landed') return done;
      if (isClosed(incident.state) && !isClosed(outcome.state)) await foldByCause(db, services, correlation);
      if (outcome.state === 'escalated' && incident.state !== 'escalated')
        await tellWhoHasIt(db, incident.id, await childrenOf(db, incident.id));
      const leaving = outcome.wait !== undefined || isClosed(outcome.state) || stopping;
      if (!leaving) return 'go on';
      if (!(await queue.complete(lease))) throw new Fenced();
      await db.q.updateTable('incident').set({ job_id: null }).where('id', '=', incident.id).execute();
      if (isClosed(outcome.state)) await unfold(incident, outcome.state);
      else await enqueue([incident.id], dueAt(outcome));
      if (!outcome.wait && stopping) await db.notify(CHANNEL);
      return 'left';
    });
  }

  async function runStage(
    incident: Incident,
    signals: readonly Signal[],
    lease: Lease,
    abort: AbortSignal,
  ): Promise<Outcome> {
    const work: Work = {
      incident,
      signals,
      abort,
      alerts: await alertsOf(db, incident),
      journal: createJournal(db, incident),
      assertHeld: async () => {
        // Incident before job, as everywhere.
        const now = await db.q
          .selectFrom('incident')
          .select(['version', 'wake_seq'])
          .where('id', '=', incident.id)
          .forUpdate()
          .executeTakeFirstOrThrow();
        if (now.version !== incident.version || (await queue.touch([lease])).length > 0) throw new Fenced();
        return now.wake_seq === incident.wakeSeq;
      },
    };
    const timer = metrics.stages.startTimer({ state: incident.state });
    try {
      return await stages[incident.state](work);
    } catch (error) {
      if (error instanceof Fenced || abort.aborted) throw new Fenced();
      log.error(
        { incident: incidentName(incident.id), state: incident.state, error: messageOf(error) },
        'stage failed',
      );
      return afterFailure(incident, error);
    } finally {
      timer();
    }
  }

  /** Enqueues what is open or has something to hear and yet has no job: the safety net under every other path. */
  async function reconcile(): Promise<void> {
    const { rows } = await sql<{ id: number }>`
      select i.id from incident i
      where ((i.state not in (${sql.join([...CLOSED_STATES])}) and i.parent_id is null) or exists (select 1 from signal s where s.incident_id = i.id))
        and not exists (select 1 from pgboss.job j where j.id = i.job_id and j.state in ('created', 'retry', 'active'))
      limit 1000`.execute(db.q);
    for (const { id } of rows) {
      log.warn({ incident: incidentName(id) }, 'incident had no job; enqueued');
      await db.transaction(async () => {
        await sql`select id from incident where id = ${id} for update`.execute(db.q);
        await enqueue([id], null);
      });
    }
    if (rows.length > 0) kick();
  }

  async function keepLeases(): Promise<void> {
    for (const lost of await queue.touch([...active.keys()])) active.get(lost)?.abort();
  }

  function every(milliseconds: number, what: string, run: () => Promise<void>): void {
    const timer = setInterval(() => {
      run().catch((error: unknown) => log.error({ error: messageOf(error) }, `${what} failed`));
    }, milliseconds);
    timers.push(timer);
  }

  return {
    wake,
    kick,
    async start() {
      unlisten = await db.listen(CHANNEL, kick);
      every(POLL_MS, 'looking for work', async () => kick());
      every(TOUCH_MS, 'keeping leases', keepLeases);
      every(RECONCILE_MS, 'reconciling', reconcile);
      await reconcile();
      kick();
    },
    async stop() {
      stopping = true;
      for (const timer of timers) clearInterval(timer);
      const keeping = setInterval(() => void keepLeases().catch(() => {}), TOUCH_MS);
      while (active.size > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      clearInterval(keeping);
      await unlisten?.();
      await queue.stop();
    },
  };
}

function dueAt({ wait }: Outcome): Date | null {
  if (!wait) return null;
  return wait.until ?? new Date(Date.now() + IDLE_MS);
}
