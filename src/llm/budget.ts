/** What one endpoint may still be sent: the last minute against what was declared, and what its own headers last said. */
import type { ModelConfig } from '../config/index.ts';
import { DIMENSIONS, type Dimension, remainingOf } from './rate-headers.ts';

/** A minute, and a second for the way there: what we sent at once may arrive apart. */
const WINDOW_MS = 61_000;

/** What one call takes of each limit. */
export type Need = Readonly<Record<Dimension, number>>;

/** Room that was taken for one call; it counts as the estimate until it is settled. */
export interface Reservation {
  readonly at: number;
  need: Need;
  isSettled: boolean;
}

/** What the headers last said of one limit, less what was sent since. */
interface Heard {
  left: number;
  readonly limit: number | null;
  /** How much comes back in a millisecond: both providers fill up steadily until all is there. */
  readonly refill: number;
  readonly heardAt: number;
  readonly resetAt: number;
}

/**
 * The limits of one endpoint. Nothing is forgotten before a whole minute has passed, so that no minute, wherever it begins, holds more
 * than what was declared; windows that begin anew each minute would let twice as much through around their border.
 */
export class Budget {
  readonly #limits: Readonly<Partial<Record<Dimension, number>>>;
  readonly #now: () => number;
  #sent: Reservation[] = [];
  readonly #heard = new Map<Dimension, Heard>();
  #restsUntil = 0;

  constructor({ requestsPerMinute, tokensPerMinute }: ModelConfig['limits'], now: () => number) {
    this.#limits = {
      ...(requestsPerMinute === undefined ? {} : { requests: requestsPerMinute }),
      ...(tokensPerMinute === undefined ? {} : { tokens: tokensPerMinute }),
    };
    this.#now = now;
  }

  /** Whether a call is under way whose end may make room. */
  get isBusy(): boolean {
    return this.#sent.some(({ isSettled }) => !isSettled);
  }

  /** Until when the endpoint wants to be left alone, in milliseconds since 1970; in the past where it does not. */
  get restsUntil(): number {
    return this.#restsUntil;
  }

  /** Gives when a call will fit, in milliseconds since 1970, if nothing else is sent; now at the earliest. */
  roomAt(need: Need): number {
    const now = this.#now();
    this.#forget(now);
    return Math.max(
      now,
      this.#restsUntil,
      ...DIMENSIONS.flatMap((dimension) => [this.#declared(dimension, need), this.#said(dimension, need, now)]),
    );
  }

  /** Takes room for a call, whether or not there is any. */
  reserve(need: Need): Reservation {
    const reservation = { at: this.#now(), need, isSettled: false };
    this.#sent.push(reservation);
    for (const [dimension, heard] of this.#heard) heard.left -= need[dimension];
    return reservation;
  }

  /** Puts what a call really took in place of the estimate; null where it never got there, and its estimate where nobody knows. */
  settle(reservation: Reservation, took: Need | null): void {
    reservation.isSettled = true;
    if (took === null) this.#sent = this.#sent.filter((one) => one !== reservation);
    else reservation.need = took;
  }

  /**
   * Takes over what the headers of an answer say; `reservation` is that of the call they answer. A `retry-after` of theirs says more
   * than when all is there again: `until` is the time it gave, in milliseconds since 1970.
   */
  hear(headers: Headers, reservation: Reservation, until = Number.POSITIVE_INFINITY): void {
    const heardAt = this.#now();
    const all = remainingOf(headers, heardAt);
    // Whether the others under way are in it nobody knows; a call too many would be a 429.
    const others = this.#sent.filter((one) => !one.isSettled && one !== reservation);
    for (const dimension of DIMENSIONS) {
      const said = all[dimension];
      if (!said) continue;
      const { remaining, limit } = said;
      const resetAt = Math.min(said.resetAt, until);
      const left = remaining - others.reduce((sum, { need }) => sum + need[dimension], 0);
      const refill = limit === null || resetAt <= heardAt ? 0 : Math.max(0, limit - remaining) / (resetAt - heardAt);
      this.#heard.set(dimension, { left, limit, refill, heardAt, resetAt });
    }
  }

  /** Leaves the endpoint alone until then, in milliseconds since 1970. */
  rest(until: number): void {
    this.#restsUntil = Math.max(this.#restsUntil, until);
  }

  #declared(dimension: Dimension, need: Need): number {
    const limit = this.#limits[dimension];
    if (limit === undefined) return 0;
    // What is estimated to need more than the whole goes when nothing else does.
    const wanted = Math.min(need[dimension], limit);
    let taken = this.#sent.reduce((sum, one) => sum + one.need[dimension], 0);
    if (taken + wanted <= limit) return 0;
    for (const one of this.#sent) {
      taken -= one.need[dimension];
      if (taken + wanted <= limit) return one.at + WINDOW_MS;
    }
    return this.#now() + WINDOW_MS;
  }

  #said(dimension: Dimension, need: Need, now: number): number {
    const heard = this.#heard.get(dimension);
    if (!heard) return 0;
    if (heard.resetAt <= now) {
      this.#heard.delete(dimension);
      return 0;
    }
    const wanted = Math.min(need[dimension], heard.limit ?? Number.POSITIVE_INFINITY);
    if (heard.left >= wanted) return 0;
    const refilledAt = heard.refill > 0 ? heard.heardAt + (wanted - heard.left) / heard.refill : heard.resetAt;
    return Math.min(Math.ceil(refilledAt), heard.resetAt);
  }

  #forget(now: number): void {
    const first = this.#sent.findIndex(({ at }) => at + WINDOW_MS > now);
    if (first !== 0) this.#sent.splice(0, first === -1 ? this.#sent.length : first);
  }
}
