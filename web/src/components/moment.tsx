import { useSyncExternalStore } from 'react';
import { absolute, clockTime, relative, span } from './time.ts';

/** One clock for the whole page, so that all times turn at once. */
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  // Nobody has kept it while nobody listened.
  if (timer === undefined) now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    for (const one of listeners) one();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Gives the time in milliseconds, anew every second. */
export function useClock(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** Shows how long ago a moment is; the moment itself stands in the tooltip and in the markup. */
export function Ago({ at }: { readonly at: string }) {
  const clock = useClock();
  return (
    <time dateTime={at} title={absolute(at)}>
      {relative(Date.parse(at) - clock)}
    </time>
  );
}

/** Shows the time of day of a moment, and its day where that is not today; how long ago it is stands in the tooltip. */
export function Clock({ at }: { readonly at: string }) {
  const clock = useClock();
  return (
    <time dateTime={at} title={relative(Date.parse(at) - clock)}>
      {clockTime(at)}
    </time>
  );
}

/** Shows how long something has been going on, counting. */
export function Since({ at }: { readonly at: string }) {
  const clock = useClock();
  return (
    <time dateTime={at} title={`since ${absolute(at)}`}>
      {span((clock - Date.parse(at)) / 1000)}
    </time>
  );
}

/** Counts down to a moment; says so when it is over. */
export function Countdown({ until }: { readonly until: string }) {
  const clock = useClock();
  const left = (Date.parse(until) - clock) / 1000;
  return (
    <time dateTime={until} title={absolute(until)}>
      {left <= 0 ? 'expired' : `${span(left)} left`}
    </time>
  );
}
