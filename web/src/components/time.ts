const RELATIVE = new Intl.RelativeTimeFormat('en-GB', { numeric: 'always', style: 'narrow' });
const ABSOLUTE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const UTC_DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** Writes a moment in full, in the time zone of whoever reads. */
export function absolute(at: string): string {
  return ABSOLUTE.format(new Date(at));
}

/** Writes the time of day with seconds, and the day before it where that is not today. */
export function clockTime(at: string): string {
  const moment = new Date(at);
  const time = CLOCK.format(moment);
  return moment.toDateString() === new Date().toDateString() ? time : `${DAY.format(moment)} ${time}`;
}

/** Writes the day and month of a date without a time, `2026-11-01` say, which is the same day wherever it is read. */
export function dayOf(date: string): string {
  return UTC_DAY.format(new Date(date));
}

/** Writes how far away a moment is, in the largest unit that fits; milliseconds, negative for the past. */
export function relative(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return 'just now';
  if (size < 60) return RELATIVE.format(Math.round(seconds), 'second');
  if (size < 3600) return RELATIVE.format(Math.round(seconds / 60), 'minute');
  if (size < 86_400) return RELATIVE.format(Math.round(seconds / 3600), 'hour');
  return RELATIVE.format(Math.round(seconds / 86_400), 'day');
}

/** Writes a length of time in its two largest units, from milliseconds to days; takes seconds. */
export function span(seconds: number): string {
  const whole = Math.max(0, seconds);
  if (whole < 1) return `${Math.round(whole * 1000)} ms`;
  if (whole < 10) return `${Number(whole.toFixed(1))} s`;
  if (whole < 60) return `${Math.round(whole)} s`;
  const minutes = Math.floor(whole / 60);
  const [large, small] =
    minutes < 60
      ? [`${minutes} min`, `${Math.floor(whole % 60)} s`]
      : minutes < 48 * 60
        ? [`${Math.floor(minutes / 60)} h`, `${minutes % 60} min`]
        : [`${Math.floor(minutes / 1440)} d`, `${Math.floor(minutes / 60) % 24} h`];
  return small.startsWith('0 ') ? large : `${large} ${small}`;
}

/** Writes US dollars with as many digits as small amounts need. */
export function dollars(amount: number): string {
  if (amount === 0) return '$0';
  return amount < 0.01 ? `$${amount.toPrecision(2)}` : `$${amount.toFixed(2)}`;
}
