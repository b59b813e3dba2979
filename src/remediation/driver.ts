import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/index.ts';
import { type Database, databaseTrouble } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import type { Failpoint } from '../failpoints.ts';
import {
  childrenOf,
  createJournal,
  Foreign,
  foldByCause,
  holdOpenings,
  type Incident,
  incidentName,
  isClosed,
  loadForStage,
  lockOpenings,
  type Outcome,
  type Signal,
  tellWhoHasIt,
  type Work,
} from '../incident/index.ts';
import { failSpan, type Logger, type Metrics, NO_TRACER, type Tracer, withCorrelation } from '../telemetry/index.ts';
import { CHANNEL, createJobs, type Jobs } from './jobs.ts';
import { afterFailure, Fenced, land } from './land.ts';
import type { Lease, Queue } from './queue.ts';
import type { Stages } from './stages.ts';
import { type Ran, traceStage } from './trace-stage.ts';

const POLL_MS = 1000;
const TOUCH_MS = 4000;
const RECONCILE_MS = 30_000;
/** How long what was loaded may be handed from stage to stage: that an alert was reported again is said to nobody. */
const KNOWN_MS_MAX = 30_000;
/** How long a stop waits for what is under way to land. */
const GRACE_MS = 12_000;

type Loaded = Awaited<ReturnType<typeof loadForStage>>;

export interface Driver extends Pick<Jobs, 'wake'> {
  /** Looks for work now. */
  kick(): void;
  start(): Promise<void>;
  /**
   * Takes no more work, waits 12 s at most until what is under way has landed, and gives back what has not, so that whoever is next goes on
   * with it at once. @throws whatever the database throws where that could not be written; then it goes on once its heartbeat has lapsed.
   */
  stop(): Promise<void>;
}

export interface DriverDependencies {
  readonly db: Database;
  readonly queue: Queue;
  readonly stages: Stages;
  readonly concurrency: number;
  readonly config: Pick<Config, 'correlation' | 'services' | 'limits'>;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly failpoint: Failpoint;
  /** Where nothing is traced it is left out. */
  readonly tracer?: Tracer;
}

/** Makes the driver of all incidents: each is advanced by one worker at a time, stage after stage, until it waits or ends. */
export function createDriver(dependencies: DriverDependencies): Driver {
  const { db, queue, stages, concurrency, metrics, log, failpoint, tracer = NO_TRACER } = dependencies;
  const { correlation, services } = dependencies.config;
  const jobs = createJobs(dependencies);
  const active = new Map<Lease, AbortController>();
  const timers: NodeJS.Timeout[] = [];
  /** Already said in the log. */
  const left = new Set<number>();
  let looking = false;
  let lookAgain = false;
  let stopping = false;
  let beat: Promise<Lease[]> = Promise.resolve([]);
  let unlisten: (() => Promise<void>) | undefined;

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
        if (stopping) await queue.release(leases);
        if (stopping) break;
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
    failpoint('driver.taken');
    try {
      await advance(lease, controller.signal);
    } catch (error) {
      // Whoever stops gives it back.
      if (stopping && controller.signal.aborted) return;
      if (error instanceof Foreign) return await leave(lease, error).catch(() => {});
      const incident = incidentName(lease.incidentId);
      if (error instanceof Fenced) log.warn({ incident }, 'another worker has this incident now');
      else log.error({ incident, error: messageOf(error) }, 'incident given back to the queue');
      // Does nothing where it is another's.
      await queue.giveBack(lease).catch(() => {});
    } finally {
      active.delete(lease);
      kick();
    }
  }

  /** During a rolling deploy another replica knows what to do with it; nothing of it is touched here. */
  async function leave(lease: Lease, error: Foreign): Promise<void> {
    const { incidentId: id } = lease;
    if (!left.has(id)) log.warn({ incident: incidentName(id) }, `${messageOf(error)}: left to a replica that is newer`);
    left.add(id);
    await jobs.leave(lease);
  }

  /** Runs stage after stage; each lands in one transaction, or not at all. */
  async function advance(lease: Lease, abort: AbortSignal): Promise<void> {
    let known: Loaded | null = null;
    let loadedAt = 0;
    for (;;) {
      if (performance.now() - loadedAt > KNOWN_MS_MAX) known = null;
      if (known === null) loadedAt = performance.now();
      const loaded: Loaded = known ?? (await loadForStage(db, lease.incidentId));
      known = null;
      const { incident, signals } = loaded;
      const ids = { incident: incidentName(incident.id), trace: incident.traceId };
      const { outcome, landed } = await withCorrelation(ids, () =>
        traceStage({ tracer, db }, incident, () => runAndLand(loaded, lease, abort)),
      );
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
      // Nothing was said to it meanwhile, so there is nothing to load that is not known.
      const heard = new Set(outcome.heard);
      if (landed.wakeSeq === incident.wakeSeq && landed.cycle === incident.cycle)
        known = { ...loaded, incident: landed, signals: signals.filter((signal) => !heard.has(signal)) };
    }
  }

  async function runAndLand(loaded: Loaded, lease: Lease, abort: AbortSignal): Promise<Ran> {
    const { incident, signals } = loaded;
    const outcome = await runStage(loaded, lease, abort);
    failpoint(`land.before.${outcome.state}`);
    const landed = await landWith(lease, incident, outcome, signals)
      .catch(async (error: unknown) => {
        if (error instanceof Fenced) throw error;
        // What was done is known, and is not thrown away because the database was gone for a moment.
        if (databaseTrouble(error)) return landWith(lease, incident, outcome, signals);
        throw error;
      })
      .catch((error: unknown) => {
        if (error instanceof Fenced) throw error;
        // What cannot be committed counts as the stage's failure, so that it ends with a person and not in an endless retry.
        log.error(
          { incident: incidentName(incident.id), state: incident.state, error: messageOf(error) },
          'cannot land',
        );
        failSpan(error);
        return landWith(lease, incident, afterFailure(incident, error), []);
      });
    failpoint(`land.after.${outcome.state}`);
    return { outcome, landed };
  }

  /** Commits an outcome, and gives the job back when the incident then waits or is over. */
  async function landWith(
    lease: Lease,
    incident: Incident,
    outcome: Outcome,
    signals: readonly Signal[],
  ): Promise<'moved' | 'woken' | 'left' | Incident> {
    const leaves = outcome.wait !== undefined || isClosed(outcome.state) || stopping;
    const how = { signals, leaves, held: queue.held(lease) };
    if (isWholeInOneStatement(incident, outcome) && !leaves) return land(db, incident, outcome, how);
    return db.transaction(async () => {
      // Nothing may be folded under an incident at the moment that it is over, nor stay under one that is over when it opens again.
      if (isClosed(outcome.state) && !isClosed(incident.state)) await holdOpenings(db);
      if (isClosed(incident.state) && !isClosed(outcome.state)) await lockOpenings(db);
      const landed = await land(db, incident, outcome, how);
      if (landed === 'moved' || landed === 'woken') return landed;
      if (isClosed(incident.state) && !isClosed(outcome.state)) await foldByCause(db, services, correlation);
      if (outcome.state === 'escalated' && incident.state !== 'escalated')
        await tellWhoHasIt(db, incident.id, await childrenOf(db, incident.id));
      if (!leaves) return landed;
      if (!(await queue.complete(lease))) throw new Fenced();
      await jobs.next(incident, outcome);
      if (!outcome.wait && stopping) await db.notify(CHANNEL);
      return 'left';
    });
  }

  async function runStage(loaded: Loaded, lease: Lease, abort: AbortSignal): Promise<Outcome> {
    const { incident } = loaded;
    const work: Work = {
      ...loaded,
      abort,
      journal: createJournal(db, incident),
      assertHeld: async () => {
        // Incident before job, as everywhere.
        const now = await db.q
          .selectFrom('incident')
          .select(['version', 'wake_seq'])
          .where('id', '=', incident.id)
          .forUpdate()
          .executeTakeFirstOrThrow();
        if (now.version !== incident.version || !(await queue.touch(lease))) throw new Fenced();
        return now.wake_seq === incident.wakeSeq;
      },
    };
    const timer = metrics.stages.startTimer({ state: incident.state });
    let outcome: 'done' | 'failed' | 'fenced' = 'done';
    try {
      return await stages[incident.state](work);
    } catch (error) {
      outcome = error instanceof Fenced || abort.aborted ? 'fenced' : 'failed';
      if (error instanceof Fenced || abort.aborted) throw new Fenced();
      log.error(
        { incident: incidentName(incident.id), state: incident.state, error: messageOf(error) },
        'stage failed',
      );
      failSpan(error);
      return afterFailure(incident, error);
    } finally {
      timer({ outcome });
    }
  }

  async function reconcile(): Promise<void> {
    if ((await jobs.reconcile()) > 0) kick();
  }

  async function keepLeases(): Promise<void> {
    beat = queue.keep([...active.keys()]);
    for (const lost of await beat) active.get(lost)?.abort();
  }

  function every(milliseconds: number, what: string, run: () => Promise<void>): void {
    const timer = setInterval(() => {
      run().catch((error: unknown) => log.error({ error: messageOf(error) }, `${what} failed`));
    }, milliseconds);
    timers.push(timer);
  }

  return {
    wake: jobs.wake,
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
      const givenUpAt = Date.now() + GRACE_MS;
      while ((active.size > 0 || looking) && Date.now() < givenUpAt) await sleep(20);
      clearInterval(keeping);
      try {
        await park();
      } finally {
        await unlisten?.();
      }
    },
  };

  /** What has not landed by now lands nothing any more: it ends here, and whoever takes it next finds what it left. */
  async function park(): Promise<void> {
    if (active.size === 0) return;
    const leases = [...active.keys()];
    for (const controller of active.values()) controller.abort();
    const incidents = leases.map(({ incidentId }) => incidentName(incidentId));
    log.warn({ incidents }, 'not finished in time; given back, to go on elsewhere or at the next start');
    // Two that write the same jobs would be in each other's way.
    await beat.catch(() => {});
    await queue.release(leases);
    await db.notify(CHANNEL);
  }
}

/** Nothing is written beside the move, and the job stays where it is. */
function isWholeInOneStatement(incident: Incident, { state, write }: Outcome): boolean {
  return !write && !isClosed(state) && !isClosed(incident.state) && state !== 'escalated';
}
