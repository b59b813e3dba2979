import { type RawBuilder, sql } from 'kysely';

/** Writes the day of UTC of a moment, as SQL: 2026-11-23 say. */
export function dayOf(at: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`to_char(${at} at time zone 'UTC', 'YYYY-MM-DD')`;
}

/** Gives every day of UTC that a span touches, the oldest first. */
export function daysOf(from: Date, to: Date): string[] {
  const days: string[] = [];
  for (let at = Date.parse(from.toISOString().slice(0, 10)); at <= to.getTime(); at += 86_400_000)
    days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}
