import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from '../measure.ts';
import { alertJson, bodyOf } from './bodies.ts';
import { insertFloor } from './floor.ts';
import { sendLoad } from './load.ts';
import { type Kind, type Server, startServer } from './server.ts';

const SECONDS = 2;
const WARM_UP_SECONDS = 1;
const CONNECTIONS = 64;
const CONNECTIONS_HUNDRED = 16;
const CONNECTIONS_HUNDRED_FLOOR = 4;
const KNOWN = 64;
/** As few as the schema takes: what is measured is each incident, and a storm would fold nearly all of them. */
const NO_STORM = { storm: { incidents: 10_000, withinSeconds: 1 } };

/** Alerts per second in one round. */
export interface Round {
  readonly news: number;
  readonly repeats: number;
  readonly hundred: number;
  readonly hundredP50Ms: number;
  readonly hundredP99Ms: number;
  /** Rows per second of pgbench; null where there is no server to ask. */
  readonly floors: { readonly one: number; readonly hundred: number } | null;
}

/** Measures one round on a new Nightshift: the floors before it runs, then repeats, groups of 100, and new alerts one by one. */
export async function runRound(kind: Kind): Promise<Round> {
  const server = await startServer(kind, NO_STORM);
  try {
    const floors = server.databaseUrl === null ? null : await measureFloors(server.databaseUrl);
    const { url, webhookToken: token } = server.nightshift;
    const load = { url, token, warmUpSeconds: WARM_UP_SECONDS, seconds: SECONDS };
    const bodies = await makeKnown(server);
    let at = 0;
    const repeats = await sendLoad({ ...load, connections: CONNECTIONS, next: () => bodies[at++ % KNOWN] ?? null });
    let n = KNOWN;
    const nextHundred = () => {
      const group = { alertname: 'KubePodCrashLooping', service: `service-${n}` };
      return bodyOf(Array.from({ length: 100 }, () => alertJson(group, n++)));
    };
    const hundred = await sendLoad({ ...load, connections: CONNECTIONS_HUNDRED, next: nextHundred });
    const nextNew = () => bodyOf([alertJson({ alertname: 'KubePodCrashLooping', service: `service-${n}` }, n++)]);
    const news = await sendLoad({ ...load, connections: CONNECTIONS, next: nextNew });
    return {
      news: news.perSecond,
      repeats: repeats.perSecond,
      hundred: hundred.perSecond * 100,
      hundredP50Ms: quantile(hundred.latenciesMs, 0.5),
      hundredP99Ms: quantile(hundred.latenciesMs, 0.99),
      floors,
    };
  } finally {
    await server.remove();
  }
}

async function measureFloors(databaseUrl: string): Promise<{ one: number; hundred: number }> {
  const alert = alertJson({ alertname: 'KubePodCrashLooping', service: 'service-1' }, 1);
  const options = { databaseUrl, seconds: SECONDS };
  const one = await insertFloor({ ...options, connections: CONNECTIONS, rowsPerInsert: 1, payload: bodyOf([alert]) });
  const connections = CONNECTIONS_HUNDRED_FLOOR;
  return { one, hundred: await insertFloor({ ...options, connections, rowsPerInsert: 100, payload: alert }) };
}

/** Sends the alerts that are repeated afterwards, and waits until the work on their incidents is over. */
async function makeKnown({ nightshift: { url, webhookToken: token, api } }: Server): Promise<readonly string[]> {
  const bodies = Array.from({ length: KNOWN }, (_, n) =>
    bodyOf([alertJson({ alertname: 'KubePodCrashLooping', service: `service-${n}` }, n)]),
  );
  const left = [...bodies];
  await sendLoad({ url, token, connections: 1, next: () => left.pop() ?? null });
  for (let waitedMs = 0; waitedMs < 30_000; waitedMs += 100) {
    const { incidents } = await api<{ incidents: { state: string }[] }>('/api/v1/incidents?limit=500');
    if (incidents.every(({ state }) => state === 'escalated')) return bodies;
    await sleep(100);
  }
  throw new Error('the known incidents are still being worked on after 30 s');
}
