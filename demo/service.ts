/**
 * Checkout, the service that the demo breaks: a process of its own, started by the demo's supervisor. It takes orders over
 * HTTP, puts a job for each into its spool, and one worker does the jobs in order. The worker has a common fault: a job that it
 * cannot read is tried again for ever, and all the jobs behind it wait.
 */
import { appendFileSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Gauge, Registry } from 'prom-client';
import { z } from 'zod';

const WORK_MS = 100;
const OLD_MS = 1000;
const BODY_MAX = 1024;
const orderSchema = z.strictObject({ order: z.string().regex(/^[A-Z0-9-]{1,20}$/) });

const [port, spool = '', ledger = ''] = process.argv.slice(2);

const write = (what: string, more: object = {}) =>
  appendFileSync(ledger, `${JSON.stringify({ at: new Date().toISOString(), pid: process.pid, what, ...more })}\n`);
const jobs = () =>
  readdirSync(spool)
    .filter((name) => name.endsWith('.json'))
    .sort();

/** Milliseconds for which each job waits; one that is taken away while we look does not wait. */
function waits(): number[] {
  return jobs().flatMap((name) => {
    const stats = statSync(join(spool, name), { throwIfNoEntry: false });
    return stats ? [Date.now() - stats.mtimeMs] : [];
  });
}
const oldJobs = () => waits().filter((ms) => ms > OLD_MS).length;

/** Does the jobs that wait, the oldest first. */
function work(): void {
  for (const name of jobs()) {
    const path = join(spool, name);
    try {
      const { order } = orderSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
      write('did the job', { order });
      unlinkSync(path);
    } catch (error) {
      console.error(`${new Date().toISOString()} job ${name} failed, trying it again: ${(error as Error).message}`);
      return;
    }
  }
}

async function takeOrder(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > BODY_MAX) throw new Error('the order is too long');
  }
  const { order } = orderSchema.parse(JSON.parse(body));
  // Renamed into place, so that the worker never sees half a job of ours.
  const path = join(spool, `${Date.now()}-${order}`);
  writeFileSync(`${path}.part`, body);
  renameSync(`${path}.part`, `${path}.json`);
  return order;
}

const registry = new Registry();
new Gauge({
  name: 'checkout_spool_jobs',
  help: 'Jobs in the spool.',
  registers: [registry],
  collect() {
    this.set(jobs().length);
  },
});
new Gauge({
  name: 'checkout_spool_old_jobs',
  help: 'Jobs in the spool that have waited for more than a second.',
  registers: [registry],
  collect() {
    this.set(oldJobs());
  },
});

const server = createServer(async (request, response) => {
  const answer = (status: number, value: object) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
  try {
    switch (`${request.method} ${request.url}`) {
      case 'GET /healthz':
        return answer(200, { status: 'ok' });
      case 'GET /healthz/spool': {
        const [waiting, old] = [jobs().length, oldJobs()];
        return answer(old > 0 ? 503 : 200, { status: old > 0 ? 'stuck' : 'ok', waiting, old });
      }
      case 'GET /metrics':
        response.setHeader('content-type', registry.contentType);
        return response.end(await registry.metrics());
      case 'POST /orders':
        return answer(202, { accepted: await takeOrder(request) });
      default:
        return answer(404, { error: `there is no ${request.method} ${request.url}` });
    }
  } catch (error) {
    answer(400, { error: (error as Error).message });
  }
});
server.listen(Number(port), '127.0.0.1', () => {
  write('started');
  setInterval(work, WORK_MS);
});
process.once('SIGTERM', () => {
  write('stopped');
  process.exit(0);
});
