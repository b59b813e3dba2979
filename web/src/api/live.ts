import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import type { Change } from './shapes.ts';
import { openStream } from './stream.ts';

/** Whether the page hears of changes as they happen. */
export type Liveness = 'connecting' | 'live' | 'lost';

/** What is marked in the charts of an incident, for which Prometheus is asked each time. */
const MARKED = /^(alert|approval|action|verification|incident)\./;
/** After what a model may have been asked. */
const ASKED = /^(model|triage|investigation|diagnosis|plan)\./;
/** What moves the figures. */
const COUNTED = /^(incident\.(resolved|escalated)|verification\.|plan\.)/;
/** A burst of changes is read once. */
const GATHER_MS = 150;

const livenessListeners = new Set<() => void>();
const changeListeners = new Set<(change: Change) => void>();
let liveness: Liveness = 'connecting';

function publish(next: Liveness): void {
  liveness = next;
  for (const listener of livenessListeners) listener();
}

function subscribe(listener: () => void): () => void {
  livenessListeners.add(listener);
  return () => livenessListeners.delete(listener);
}

/** Gives whether changes are heard, and rerenders when that turns. */
export function useLiveness(): Liveness {
  return useSyncExternalStore(subscribe, () => liveness);
}

/** Tells of every change that is heard of; `hear` must stay the same function. */
export function useChanges(hear: (change: Change) => void): void {
  useEffect(() => {
    changeListeners.add(hear);
    return () => void changeListeners.delete(hear);
  }, [hear]);
}

/** Listens to the stream while the page is looked at, and has read again whatever a change concerns. */
export function useLive(): void {
  const client = useQueryClient();
  useEffect(() => {
    let stop = document.hidden ? null : listen(client);
    const turn = () => {
      stop?.();
      stop = document.hidden ? null : listen(client);
      if (!document.hidden) void client.invalidateQueries();
    };
    document.addEventListener('visibilitychange', turn);
    return () => {
      document.removeEventListener('visibilitychange', turn);
      stop?.();
    };
  }, [client]);
}

function listen(client: QueryClient): () => void {
  const readAgain = createReader(client);
  let gathered: Change[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isFirst = true;

  const flush = () => {
    timer = undefined;
    const keys = keysOf(gathered);
    gathered = [];
    for (const key of keys) readAgain(key);
  };
  const close = openStream((heard) => {
    if (heard.kind === 'change') {
      for (const hear of changeListeners) hear(heard.change);
      gathered.push(heard.change);
      timer ??= setTimeout(flush, GATHER_MS);
      return;
    }
    if (heard.kind === 'hello') {
      // What happened meanwhile may be more than the stream tells again.
      if (!isFirst && !heard.isWhole) void client.invalidateQueries();
      isFirst = false;
      publish('live');
      return;
    }
    isFirst = false;
    publish('lost');
    // Who is signed out must come to know of it.
    if (heard.isRefused) void client.invalidateQueries({ queryKey: ['session'], exact: true });
  });
  return () => {
    clearTimeout(timer);
    close();
    publish('connecting');
  };
}

/**
 * Makes the function that has read again what a key begins with. It is never asked while it is on its way, since under many changes no answer
 * would ever come; it is asked once more afterwards, since what was asked before a change need not show it.
 */
function createReader(client: QueryClient): (key: readonly string[]) => void {
  const underWay = new Set<string>();
  const wanted = new Set<string>();
  return function readAgain(queryKey) {
    const name = queryKey.join(' ');
    if (underWay.has(name)) return void wanted.add(name);
    underWay.add(name);
    if (client.isFetching({ queryKey }) > 0) wanted.add(name);
    void client.invalidateQueries({ queryKey }, { cancelRefetch: false }).finally(() => {
      underWay.delete(name);
      if (wanted.delete(name)) readAgain(queryKey);
    });
  };
}

function keysOf(changes: readonly Change[]): (readonly string[])[] {
  const named = (first: string, types: RegExp) => {
    const incidents = changes.flatMap(({ incident, type }) =>
      incident !== null && types.test(type) ? [incident] : [],
    );
    return [...new Set(incidents)].map((incident) => [first, incident]);
  };
  return [
    ['now'],
    ['incidents'],
    ['audit', 'events'],
    ...named('incident', /./),
    ...named('incident-charts', MARKED),
    ...named('model-calls', ASKED),
    ...(changes.some(({ type }) => COUNTED.test(type))
      ? [['insights'], ['track-records'], ['budgets'], ['runbooks']]
      : []),
  ];
}
