/** Follows what Nightshift says happens to each incident: to know when it waits, and for what. Nothing is believed on its word. */
import type { Sinks } from './sinks.ts';

export interface TimelineEvent {
  readonly id: number;
  readonly incident: string | null;
  readonly at: string;
  readonly type: string;
  readonly actor: string;
  // biome-ignore lint/suspicious/noExplicitAny: each type of event has its own shape.
  readonly data: Readonly<Record<string, any>>;
}

export type Resting = 'asking' | 'escalated' | 'resolved' | 'stopped' | 'confirming';

export interface Timeline {
  of(incident: number): readonly TimelineEvent[];
  /** Events of no incident. */
  general(): readonly TimelineEvent[];
  /** Where an incident rests now; null while it is under way. */
  resting(incident: number): Resting | null;
  /** Waits until an incident rests, or a look says so; tells whether it came to that within the time. */
  until(incident: number, look?: (resting: Resting | null) => boolean, seconds?: number): Promise<boolean>;
  stop(): void;
}

const POLL_MS = 60;
const REST_BY_EVENT: Readonly<Record<string, Resting>> = {
  'approval.requested': 'asking',
  'incident.escalated': 'escalated',
  'incident.resolved': 'resolved',
  'incident.stopped': 'stopped',
  'verification.passed': 'confirming',
};
/** They change nothing about where an incident rests, or follow in the same transaction. */
const NEUTRAL = new Set(['incident.remembered', 'alert.firing']);

/** Starts to follow; `read` gives the events after an id. */
export function followTimeline(read: (after: number) => Promise<unknown>, sinks: Sinks): Timeline {
  const byIncident = new Map<number, TimelineEvent[]>();
  const general: TimelineEvent[] = [];
  const waiting = new Set<() => void>();
  let after = 0;
  let stopped = false;

  async function follow(): Promise<void> {
    while (!stopped) {
      const { events = [] } = ((await read(after).catch(() => null)) ?? {}) as { events?: TimelineEvent[] };
      for (const event of events) {
        after = event.id;
        sinks.saw('events', JSON.stringify(event.data));
        const incident = event.incident === null ? null : Number(event.incident.replace('INC-', ''));
        if (incident === null) general.push(event);
        else byIncident.set(incident, [...(byIncident.get(incident) ?? []), event]);
      }
      for (const wake of waiting) wake();
      if (events.length < 1000) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  const following = follow();

  const resting = (incident: number): Resting | null => {
    const last = (byIncident.get(incident) ?? []).findLast(({ type }) => !NEUTRAL.has(type));
    if (last?.type === 'approval.decided') return last.data.status === 'pending' ? 'asking' : null;
    return last ? (REST_BY_EVENT[last.type] ?? null) : null;
  };
  return {
    of: (incident) => byIncident.get(incident) ?? [],
    general: () => general,
    resting,
    until: (incident, look = (now) => now !== null, seconds = 120) =>
      new Promise((resolve) => {
        const end = (reached: boolean) => {
          waiting.delete(check);
          clearTimeout(timer);
          resolve(reached);
        };
        const check = () => {
          if (look(resting(incident))) end(true);
        };
        const timer = setTimeout(() => end(false), seconds * 1000);
        waiting.add(check);
        check();
      }),
    stop() {
      stopped = true;
      void following;
    },
  };
}
