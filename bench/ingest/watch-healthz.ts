import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Begins to ask a server for /healthz every 20 ms; gives what ends it, and how long the answers took in milliseconds. */
export function watchHealthz(url: string): () => Promise<readonly number[]> {
  const worker = new Worker(new URL('healthz-worker.ts', import.meta.url), { workerData: url });
  return async () => {
    const answer = once(worker, 'message');
    worker.postMessage('stop');
    const [latencies] = await answer;
    await worker.terminate();
    return latencies as number[];
  };
}
