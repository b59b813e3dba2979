import { clockTime, dayOf } from '../components/time.ts';

/** Writes the time of day, and the day before it where that is another one than that of the moment which stands above. */
export function clockSince(at: string, since: string): string {
  return dayOf(at) === dayOf(since) ? clockTime(at) : `${dayOf(at)}, ${clockTime(at)}`;
}
