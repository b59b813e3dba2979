import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { renderEvent, type ShownEvent } from '../src/incident/index.ts';
import type { Nightshift } from './nightshift.ts';
import type { Terminal } from './terminal.ts';

const LOOK_MS = 250;

/** What the demo itself reads of an event; everything else is only shown. */
const dataSchema = z.looseObject({
  labels: z.record(z.string(), z.string()).optional().catch(undefined),
  approval: z.string().optional().catch(undefined),
  digest: z.string().optional().catch(undefined),
  expiresAt: z.string().optional().catch(undefined),
  model: z.string().nullable().optional().catch(undefined),
});

export interface SeenEvent extends Omit<ShownEvent, 'data'> {
  readonly data: z.infer<typeof dataSchema>;
}

/** The timeline of all incidents, shown as it grows. */
export interface Timeline {
  /** All events shown so far. */
  readonly seen: readonly SeenEvent[];
  /** Shows what happens until `find` finds what it looks for among all events so far, and gives that. */
  until<T>(label: string | (() => string), find: (events: readonly SeenEvent[]) => T | undefined): Promise<T>;
}

/** Makes the timeline of a running Nightshift; every wait ends with an error once `signal` is aborted. */
export function createTimeline(nightshift: Nightshift, terminal: Terminal, signal: AbortSignal): Timeline {
  const seen: SeenEvent[] = [];

  async function look(): Promise<void> {
    const after = seen.at(-1)?.id ?? 0;
    const { events } = await nightshift.get<{ events: ShownEvent[] }>(`/events?after=${after}`);
    for (const event of events) {
      terminal.timeline(renderEvent(event));
      seen.push({ ...event, data: dataSchema.parse(event.data) });
    }
  }

  return {
    seen,
    async until(label, find) {
      const wait = async () => {
        for (;;) {
          await look();
          const found = find(seen);
          if (found !== undefined) return found;
          await sleep(LOOK_MS, undefined, { signal });
        }
      };
      return terminal.during(label, wait());
    },
  };
}
