import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';

export interface LoadOptions {
  /** Origin of the server. */
  readonly url: string;
  readonly token: string;
  readonly connections: number;
  /** Gives the next body, or null when there is none left. */
  readonly next: () => string | null;
  /** Not counted, at the beginning. */
  readonly warmUpSeconds?: number;
  /** Without it, until there is no next body. */
  readonly seconds?: number;
}

export interface Load {
  readonly perSecond: number;
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
}

/**
 * Posts bodies to the Alertmanager door over kept-alive connections, the next on each as soon as the last was answered.
 * @throws Error on any answer but 202.
 */
export async function sendLoad({
  url,
  token,
  connections,
  next,
  warmUpSeconds = 0,
  seconds = Number.POSITIVE_INFINITY,
}: LoadOptions): Promise<Load> {
  const pool = new Pool(url, { connections, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const latenciesMs: number[] = [];
  const from = performance.now() + warmUpSeconds * 1000;
  const to = from + seconds * 1000;
  const post = async (body: string): Promise<void> => {
    const began = performance.now();
    const answer = await pool.request({ path: '/webhooks/alertmanager', method: 'POST', headers, body });
    if (answer.statusCode !== 202) throw new Error(`answered with ${answer.statusCode}: ${await answer.body.text()}`);
    await answer.body.dump();
    const now = performance.now();
    if (now >= from && now <= to) latenciesMs.push(now - began);
  };
  const sender = async (): Promise<void> => {
    while (performance.now() < to) {
      const body = next();
      if (body === null) return;
      await post(body);
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, sender));
  } finally {
    // Closing would wait for what a failure has left under way.
    await Promise.race([pool.close(), sleep(1000)]);
  }
  const took = (Math.min(performance.now(), to) - from) / 1000;
  return { perSecond: latenciesMs.length / took, seconds: took, latenciesMs };
}
