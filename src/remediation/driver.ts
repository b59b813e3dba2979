import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { Foreign, incidentName } from '../incident/index.ts';
import { type AdvanceDependencies, createAdvance } from './advance.ts';
import { CHANNEL, createJobs, type Jobs } from './jobs.ts';
import { Fenced } from './land.ts';
import type { Lease } from './queue.ts';

const POLL_MS = 1000;
const TOUCH_MS = 4000;
const RECONCILE_MS = 30_000;
/** How long a stop waits for what is under way to land. */
const GRACE_MS = 12_000;

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

export interface DriverDependencies extends Omit<AdvanceDependencies, 'jobs' | 'isStopping'> {
  /** How many incidents are worked on at once. */
  readonly concurrency: number;
}

/** Makes the driver of all incidents: each is advanced by one worker at a time, stage after stage, until it waits or ends. */
export function createDriver(dependencies: DriverDependencies): Driver {
  const { db, queue, concurrency, log, failpoint } = dependencies;
  const jobs = createJobs(dependencies);
  const advance = createAdvance({ ...dependencies, jobs, isStopping: () => stopping });
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
