import type { TimeWindow, Weekday } from './question.ts';

/** The days of a week in their order, as policy files write them. */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const satisfies readonly Weekday[];

const formatters = new Map<string, Intl.DateTimeFormat>();

/**
 * Tells whether a window is open: `from ≤ at < to` for one with dates. A weekly one goes by the clock on the wall of its timezone,
 * so it is an hour shorter or longer when the clocks change inside it; it belongs to the day on which it opened.
 */
export function isOpen(window: TimeWindow, at: Date): boolean {
  if (window.kind === 'dates') return window.from <= at && at < window.to;
  const { days, fromMinute, toMinute, timezone } = window;
  const { today, yesterday, minute } = wallClock(at, timezone);
  if (fromMinute < toMinute) return days.includes(today) && fromMinute <= minute && minute < toMinute;
  return (days.includes(today) && fromMinute <= minute) || (days.includes(yesterday) && minute < toMinute);
}

function wallClock(at: Date, timezone: string): { today: Weekday; yesterday: Weekday; minute: number } {
  const parts = new Map(
    formatterOf(timezone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  const day = WEEKDAYS.indexOf(parts.get('weekday')?.toLowerCase() as Weekday);
  return {
    today: WEEKDAYS.at(day) as Weekday,
    // at(-1) is Sunday.
    yesterday: WEEKDAYS.at(day - 1) as Weekday,
    minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')),
  };
}

/** Gives the formatter of a timezone, made once because making one takes a thousand times as long as using it. */
function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone,
    weekday: 'short',
    hour: 'numeric',
    minute: 'numeric',
    hourCycle: 'h23',
  });
  formatters.set(timeZone, made);
  return made;
}

/** Gives the names of the windows that are open at a time. */
export function openWindows(windows: readonly TimeWindow[], at: Date): ReadonlySet<string> {
  return new Set(windows.filter((window) => isOpen(window, at)).map(({ name }) => name));
}

/** Gives each reason why a rule's `during` and `outside` keep it silent while these windows are open, in words. */
export function* whyNotNow(
  { during, outside }: { readonly during: readonly string[]; readonly outside: readonly string[] },
  open: ReadonlySet<string>,
): Generator<string> {
  if (during.length > 0 && !during.some((name) => open.has(name))) yield `the time is outside ${during.join(', ')}`;
  const inside = outside.filter((name) => open.has(name));
  if (inside.length > 0) yield `the time is inside ${inside.join(', ')}`;
}
