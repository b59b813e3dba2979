/** Asks for /healthz every 20 ms on a thread of its own, so that the load beside it does not count. */
import { Agent, get } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';

const INTERVAL_MS = 20;
const agent = new Agent({ keepAlive: true });
const latencies: number[] = [];

const timer = setInterval(() => {
  const began = performance.now();
  get(`${workerData}/healthz`, { agent }, (response) => {
    response.resume().once('end', () => latencies.push(performance.now() - began));
  }).on('error', () => latencies.push(Number.POSITIVE_INFINITY));
}, INTERVAL_MS);

parentPort?.once('message', () => {
  clearInterval(timer);
  // What is under way when the storm is over counts as well.
  setTimeout(() => {
    parentPort?.postMessage(latencies);
    agent.destroy();
  }, 1000);
});
