import { plain, type StoredEvent } from '../incident/index.ts';

const MARKERS_MAX = 100;

/** A moment of an incident that explains what a chart shows. */
export interface Marker {
  readonly at: Date;
  readonly label: string;
  readonly kind: 'fired' | 'resolved' | 'action' | 'verified' | 'approval';
}

// biome-ignore lint/suspicious/noExplicitAny: each event type has its own shape, and what is missing shows as empty.
type Data = Record<string, any>;

const MARKED: Readonly<Record<string, { kind: Marker['kind']; label: (data: Data, actor: string) => string }>> = {
  'alert.firing': { kind: 'fired', label: ({ labels }) => `${labels?.alertname ?? 'the alert'} fires` },
  'alert.resolved': { kind: 'resolved', label: (_data, actor) => `resolved, says ${actor}` },
  'approval.requested': { kind: 'approval', label: () => 'a person is asked' },
  'approval.decided': {
    kind: 'approval',
    label: ({ decision }, actor) => `${actor} says ${decision === 'deny' ? 'no' : 'yes'}`,
  },
  'action.started': { kind: 'action', label: ({ tool, target }) => `${tool} on ${target}` },
  'verification.recovered': { kind: 'verified', label: () => 'verified healthy' },
  'incident.resolved': { kind: 'resolved', label: (_data, actor) => `resolved by ${actor}` },
};

/** Gives the moments to mark on charts, oldest first: the first 100. */
export function markersOf(events: readonly StoredEvent[]): Marker[] {
  return events
    .flatMap(({ type, at, actor, data }): Marker[] => {
      const marked = MARKED[type];
      return marked ? [{ at, kind: marked.kind, label: plain(marked.label(data, actor)) }] : [];
    })
    .slice(0, MARKERS_MAX);
}
