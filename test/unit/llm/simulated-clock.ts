/** A time that stands still until it is told to go on, for what waits and counts by a clock that it is given. */
import type { Clock } from '../../../src/llm/index.ts';

export interface SimulatedClock extends Clock {
  /** When the next timer is due, in milliseconds since 1970; null where there is none. */
  readonly next: number | null;
  /** Goes on to that time, and runs on the way whatever is due, in its order. */
  to(at: number): void;
}

/** Makes a clock that stands at that time, in milliseconds since 1970. */
export function simulatedClock(start = Date.UTC(2026, 10, 22)): SimulatedClock {
  let now = start;
  const timers = new Set<{ at: number; run: () => void }>();
  const first = () => [...timers].sort((a, b) => a.at - b.at)[0];
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    get next() {
      return first()?.at ?? null;
    },
    to(at) {
      for (let due = first(); due && due.at <= at; due = first()) {
        now = Math.max(now, due.at);
        timers.delete(due);
        due.run();
      }
      now = Math.max(now, at);
    },
  };
}
