import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import type { Change } from './shapes.ts';

/** Whether the page hears of changes as they happen. */
export type Liveness = 'connecting' | 'live' | 'lost';

/** What is marked in the charts of an incident, for which Prometheus is asked each time. */
const MARKED = /^(alert|approval|action|verification|incident)\./;
/** A burst of changes is read once. */
const GATHER_MS = 150;

const listeners = new Set<() => void>();
let liveness: Liveness = 'connecting';
let lastChange: Change | null = null;

function publish(next: { liveness?: Liveness; change?: Change }): void {
  liveness = next.liveness ?? liveness;
  lastChange = next.change ?? lastChange;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Gives whether changes are heard, and rerenders when that turns. */
export function useLiveness(): Liveness {
  return useSyncExternalStore(subscribe, () => liveness);
}

/** Gives the last change that was heard of, for what is read out to those who do not see the page. */
export function useLastChange(): Change | null {
  return useSyncExternalStore(subscribe, () => lastChange);
}

/** Listens to the stream while the page is open, and has read again whatever a change concerns; the browser connects again by itself. */
export function useLive(): void {
  const client = useQueryClient();
  useEffect(() => listen(client), [client]);
}

function listen(client: QueryClient): () => void {
  const source = new EventSource('/api/v1/stream');
  const gathered: Change[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hasBeenLost = false;

  const flush = () => {
    timer = undefined;
    const changes = gathered.splice(0);
    for (const key of keysOf(changes)) void client.invalidateQueries({ queryKey: key });
  };
  source.addEventListener('hello', () => {
    publish({ liveness: 'live' });
    // What happened meanwhile may be more than the stream tells again.
    if (hasBeenLost) void client.invalidateQueries();
    hasBeenLost = false;
  });
  source.addEventListener('change', (event: MessageEvent<string>) => {
    const change = JSON.parse(event.data) as Change;
    gathered.push(change);
    publish({ change });
    timer ??= setTimeout(flush, GATHER_MS);
  });
  source.addEventListener('error', () => {
    hasBeenLost = true;
    publish({ liveness: 'lost' });
    // A refusal is final for the browser; who is signed out must come to know of it.
    if (source.readyState === EventSource.CLOSED) void client.invalidateQueries({ queryKey: ['session'] });
  });
  return () => {
    clearTimeout(timer);
    source.close();
    publish({ liveness: 'connecting' });
  };
}

function keysOf(changes: readonly Change[]): (readonly string[])[] {
  const incidents = new Set(changes.map(({ incident }) => incident).filter((incident) => incident !== null));
  return [
    ['now'],
    ['incidents'],
    ['audit', 'events'],
    ...[...incidents].map((incident) => ['incident', incident] as const),
    ...[...new Set(changes.filter(({ type }) => MARKED.test(type)).map(({ incident }) => incident))].map(
      (incident) => ['incident-charts', incident ?? ''] as const,
    ),
    ...(changes.some(({ type }) => /^(incident\.(resolved|escalated)|verification\.|plan\.)/.test(type))
      ? [['insights'], ['track-records'], ['budgets'], ['runbooks']]
      : []),
  ];
}
