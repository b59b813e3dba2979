import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/index.ts';
import { type Change, countFollowing, followChanges, newestEvent } from './timeline.ts';

const PAGE = 500;
/** Whoever is further behind reads single pages until they are near again. */
const KEPT_MAX = 1000;
const IDLE_MS = 1000;
/** One event is seldom alone; whoever looks so soon again need not be told of the others. */
const BUSY_MS = 100;
/** Reading all of them again costs whoever was away so long less than hearing of each. */
const BEHIND_MAX = 10_000;

/** Where somebody begins to follow. */
export interface Beginning {
  /** The event after which it goes on. */
  readonly after: number;
  /** The newest event. */
  readonly last: number;
  /** False where the event that was named is not there any more or over 10,000 others followed it; then it begins with what comes now. */
  readonly resumed: boolean;
}

/** Follows the timelines of all incidents once for everybody in this process who wants to know. */
export interface Follower {
  /** Tells where somebody begins who heard last of this event; null is whoever begins now. @throws whatever the database throws. */
  begin(after: number | null): Promise<Beginning>;
  /**
   * Gives what follows an event, in the order of `followEvents` and at most 1,000 at once, as soon as there is any; null once nothing more comes,
   * because this ends or the caller has gone. @throws whatever the database throws.
   */
  next(after: number, gone: AbortSignal): Promise<readonly Change[] | null>;
  /** Aborted once it ends. */
  readonly ended: AbortSignal;
  start(): Promise<void>;
  /** Ends it for everybody who waits. */
  stop(): Promise<void>;
}

export interface FollowerDependencies {
  readonly db: Database;
  /** On which those are notified who work on incidents; between two words it looks once a second. */
  readonly channel: string;
  readonly log: Pick<Logger, 'warn'>;
}

/** Makes the one follower of a process. It keeps the newest 1,000 changes, so that however many wait, the database is asked once. */
export function createFollower({ db, channel, log }: FollowerDependencies): Follower {
  const ended = new AbortController();
  const started = Promise.withResolvers<void>();
  let kept: Change[] = [];
  let head = 0;
  let changed = Promise.withResolvers<void>();
  let wakeUp = () => {};
  let unlisten: (() => Promise<void>) | undefined;
  let working: Promise<void> | undefined;

  async function look(): Promise<boolean> {
    let found = false;
    for (;;) {
      const page = await followChanges(db, head, PAGE);
      const last = page.at(-1);
      if (!last || ended.signal.aborted) return found;
      found = true;
      head = last.id;
      kept = [...kept, ...page].slice(-KEPT_MAX);
      changed.resolve();
      changed = Promise.withResolvers();
      if (page.length < PAGE) return true;
    }
  }

  async function work(): Promise<void> {
    let rest = IDLE_MS;
    let isTroubled = false;
    while (!ended.signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wakeUp = resolve;
      });
      try {
        rest = (await look()) ? BUSY_MS : Math.min(IDLE_MS, rest * 2);
        isTroubled = false;
      } catch (error) {
        rest = IDLE_MS;
        // Once, not every second.
        if (!isTroubled) log.warn({ error: messageOf(error) }, 'the timelines cannot be followed; it goes on trying');
        isTroubled = true;
      }
      const timer = setTimeout(wakeUp, rest);
      await woken;
      clearTimeout(timer);
    }
  }

  return {
    async begin(after) {
      await started.promise;
      const following = after === null ? null : await countFollowing(db, after, BEHIND_MAX + 1);
      const resumed = following !== null && following <= BEHIND_MAX;
      return { after: resumed ? (after as number) : head, last: head, resumed };
    },
    ended: ended.signal,
    async next(after, gone) {
      const over = Promise.withResolvers<void>();
      const leave = () => over.resolve();
      gone.addEventListener('abort', leave, { once: true });
      try {
        while (!gone.aborted && !ended.signal.aborted) {
          const news = changed.promise;
          if (after !== head) {
            const at = kept.findIndex(({ id }) => id === after);
            const later = at === -1 ? await followChanges(db, after, PAGE) : kept.slice(at + 1);
            if (later.length > 0) return later;
          }
          await Promise.race([news, over.promise]);
        }
        return null;
      } finally {
        // One caller asks again and again with the same signal.
        gone.removeEventListener('abort', leave);
      }
    },
    async start() {
      head = await newestEvent(db);
      unlisten = await db.listen(channel, () => wakeUp());
      working = work();
      started.resolve();
    },
    async stop() {
      ended.abort();
      started.resolve();
      changed.resolve();
      wakeUp();
      await working;
      await unlisten?.();
    },
  };
}
