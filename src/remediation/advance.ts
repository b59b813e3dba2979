import type { Config } from '../config/index.ts';
import { type Database, databaseTrouble } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import type { Failpoint } from '../failpoints.ts';
import {
  childrenOf,
  createJournal,
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
import { CHANNEL, type Jobs } from './jobs.ts';
import { afterFailure, Fenced, land } from './land.ts';
import type { Lease, Queue } from './queue.ts';
import type { Stages } from './stages.ts';
import { type Ran, traceStage } from './trace-stage.ts';

/** How long what was loaded may be handed from stage to stage: that an alert was reported again is said to nobody. */
const KNOWN_MS_MAX = 30_000;

type Loaded = Awaited<ReturnType<typeof loadForStage>>;

export interface AdvanceDependencies {
  readonly db: Database;
  readonly queue: Queue;
  readonly jobs: Jobs;
  readonly stages: Stages;
  readonly config: Pick<Config, 'correlation' | 'services' | 'limits'>;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly failpoint: Failpoint;
  /** Where nothing is traced it is left out. */
  readonly tracer?: Tracer;
  /** Whether this worker takes no more work, so that it gives the job back after the stage that it is in. */
  readonly isStopping: () => boolean;
}

/**
 * Makes what runs the stages of one incident, one after the other, until it waits or ends; each lands in one transaction, or not at all.
 * @throws Fenced where another worker has the incident, Foreign where only a newer version knows its state, and whatever the database throws.
 */
export function createAdvance({
  db,
  queue,
  jobs,
  stages,
  config: { correlation, services },
  metrics,
  log,
  failpoint,
  tracer = NO_TRACER,
  isStopping,
}: AdvanceDependencies): (lease: Lease, abort: AbortSignal) => Promise<void> {
  return async (lease, abort) => {
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
  };

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
    const leaves = outcome.wait !== undefined || isClosed(outcome.state) || isStopping();
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
      if (!outcome.wait && isStopping()) await db.notify(CHANNEL);
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
}

/** Nothing is written beside the move, and the job stays where it is. */
function isWholeInOneStatement(incident: Incident, { state, write }: Outcome): boolean {
  return !write && !isClosed(state) && !isClosed(incident.state) && state !== 'escalated';
}
