/** The queue before all endpoints: who comes first is sent first, to the first of their endpoints that has room. */
import type { Budget, Need, Reservation } from './budget.ts';
import type { Clock } from './clock.ts';

/** What has a budget. */
export interface Limited {
  readonly budget: Budget;
}

export interface Place<E extends Limited> {
  readonly endpoint: E;
  readonly reservation: Reservation;
  readonly waitedMs: number;
}

interface Waiter<E extends Limited> {
  readonly endpoints: readonly E[];
  readonly need: Need;
  readonly give: (place: Place<E> | null) => void;
  readonly since: number;
}

export interface Room<E extends Limited> {
  /**
   * Takes room for one call at the first of these endpoints that has some; waits for it up to `waitMs`, behind whoever waits for one of
   * them already. Gives null when there will be none in that time, or the signal aborts.
   */
  take(endpoints: readonly E[], need: Need, options: { waitMs: number; signal: AbortSignal }): Promise<Place<E> | null>;
  /** Looks again who can be sent; to be called whenever a budget has changed. */
  look(): void;
}

/** Makes the queue. */
export function createRoom<E extends Limited>(clock: Clock): Room<E> {
  const waiters: Waiter<E>[] = [];
  let cancel: () => void = () => undefined;

  /** Endpoints that somebody before waits for are not for those who come after, or a large call would wait for ever. */
  const place = ({ endpoints, need, since }: Waiter<E>, taken: ReadonlySet<E>): Place<E> | null => {
    const now = clock.now();
    for (const endpoint of endpoints) {
      if (taken.has(endpoint) || endpoint.budget.roomAt(need) > now) continue;
      return { endpoint, reservation: endpoint.budget.reserve(need), waitedMs: now - since };
    }
    return null;
  };

  const look = () => {
    cancel();
    const taken = new Set<E>();
    let next = Number.POSITIVE_INFINITY;
    for (const waiter of [...waiters]) {
      const found = place(waiter, taken);
      if (found) waiter.give(found);
      else {
        for (const endpoint of waiter.endpoints) {
          if (!taken.has(endpoint)) next = Math.min(next, endpoint.budget.roomAt(waiter.need));
          taken.add(endpoint);
        }
      }
    }
    cancel = Number.isFinite(next) ? clock.after(Math.max(1, next - clock.now()), look) : () => undefined;
  };

  return {
    look,
    async take(endpoints, need, { waitMs, signal }) {
      // Room that is taken for what is never sent is missing to others for a minute.
      if (signal.aborted) return null;
      const since = clock.now();
      const waited = new Set(waiters.flatMap((waiter) => waiter.endpoints));
      const none = { endpoints, need, since, give: () => undefined };
      const atOnce = place(none, waited);
      if (atOnce || waitMs <= 0) return atOnce;
      const canBe = endpoints.some(
        ({ budget }) => budget.restsUntil <= since + waitMs && (budget.isBusy || budget.roomAt(need) <= since + waitMs),
      );
      if (!canBe) return null;
      return new Promise((resolve) => {
        const giveUp = () => waiter.give(null);
        const cancelWait = clock.after(waitMs, giveUp);
        const waiter: Waiter<E> = {
          endpoints,
          need,
          since,
          give(found) {
            cancelWait();
            signal.removeEventListener('abort', giveUp);
            waiters.splice(waiters.indexOf(waiter), 1);
            resolve(found);
            // Whoever stood behind may go where this one would not have fitted.
            if (!found) look();
          },
        };
        waiters.push(waiter);
        signal.addEventListener('abort', giveUp, { once: true });
        look();
      });
    },
  };
}
