import type { StoredEvent } from '../incident/index.ts';

/** Gives the events since the incident fired for the last time after it was over; all of them where that never was. */
export function lastOccurrence(events: readonly StoredEvent[]): readonly StoredEvent[] {
  let begin = 0;
  let isOver = false;
  for (const [index, { type }] of events.entries()) {
    if (type === 'incident.resolved') isOver = true;
    if (type !== 'alert.firing' || !isOver) continue;
    begin = index;
    isOver = false;
  }
  return events.slice(begin);
}
