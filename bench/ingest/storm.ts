import { setTimeout as sleep } from 'node:timers/promises';
import { alertJson, bodyOf } from './bodies.ts';
import { sendLoad } from './load.ts';
import { type Kind, startServer } from './server.ts';
import { countStorm, parentState, type StormCounts } from './storm-counts.ts';
import { watchHealthz } from './watch-healthz.ts';

const ALERTS = 50_000;
const FINGERPRINTS = 500;
const PER_WEBHOOK = 100;
const CONNECTIONS = 16;
const WAIT_MS = 60_000;

export interface Storm extends StormCounts {
  /** From the first request until all is committed and the parent was worked on. */
  readonly seconds: number;
  readonly peakMiB: number;
  readonly healthzMaxMs: number;
}

/** Lets a storm of 50,000 alerts with 500 fingerprints, 100 a webhook, come over a new Nightshift. */
export async function runStorm(kind: Kind): Promise<Storm> {
  const server = await startServer(kind, {});
  try {
    const { url, webhookToken: token } = server.nightshift;
    const alerts = Array.from({ length: FINGERPRINTS }, (_, n) =>
      alertJson({ alertname: 'KubePodCrashLooping', service: `service-${n}` }, n),
    );
    let sent = 0;
    const next = () => {
      if (sent === ALERTS) return null;
      // A stride without a common divisor mixes the fingerprints: no two webhooks in a row are alike.
      const body = bodyOf(Array.from({ length: PER_WEBHOOK }, (_, n) => alerts[((sent + n) * 7) % FINGERPRINTS] ?? ''));
      sent += PER_WEBHOOK;
      return body;
    };
    const endHealthz = watchHealthz(url);
    const began = performance.now();
    await sendLoad({ url, token, connections: CONNECTIONS, next });
    // In a Nightshift that observes without runbooks, the work on an incident ends with a person being asked.
    while ((await parentState(server.nightshift)) !== 'escalated') {
      if (performance.now() - began > WAIT_MS) throw new Error('the parent of the storm is still being worked on');
      await sleep(50);
    }
    const seconds = (performance.now() - began) / 1000;
    // Whoever works on something twice does so after the first time.
    await sleep(1000);
    const healthzMaxMs = Math.max(...(await endHealthz()));
    const peakMiB = server.peakMiB();
    const counts = await countStorm(server);
    if (counts.received !== ALERTS) throw new Error(`${counts.received} of ${ALERTS} alerts are committed`);
    return { seconds, peakMiB, healthzMaxMs, ...counts };
  } finally {
    await server.remove();
  }
}
