/** One whole Nightshift in a process of its own, with the rig for its only toolset. */
import { appendFileSync, readFileSync } from 'node:fs';
import type { createServer } from 'node:http';
import { join } from 'node:path';
import pg from 'pg';
import { startApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config/index.ts';
import { messageOf } from '../../src/errors.ts';
import { type FailpointName, failpointOf } from '../../src/failpoints.ts';
import { createLogger } from '../../src/telemetry/index.ts';
import { shiftClock } from './clock.ts';
import type { ReplicaOrder } from './replica.ts';
import { createRig } from './rig.ts';

const LONG_MS_MIN = 300_000;
const LONG_MS_MAX = 600_000;
const SHORT_MS = 1500;

const order = JSON.parse(readFileSync(process.env.NIGHTSHIFT_CHAOS_ORDER ?? '', 'utf8')) as ReplicaOrder;
shiftClock(order.clockOffsetMs);
shortenLongWaits();
if (order.sabotage === 'forget-intents' && order.databaseUrl) await forgetIntents(order.databaseUrl);
if (order.sabotage === 'answer-early') answerEarly();

const rig = createRig();
const failpoint = failpointOf(process.env.NIGHTSHIFT_FAILPOINT);
const reached = new Set<FailpointName>();

try {
  const config = parseConfig({
    env: { ...(order.databaseUrl ? { DATABASE_URL: order.databaseUrl } : {}) },
    directory: order.directory,
    toolsetSettings: { rig: rig.settings },
    file: { path: 'nightshift.yaml', text: JSON.stringify(order.settings) },
  });
  const app = await startApp({
    config,
    log: createLogger('info'),
    onProgress: () => {},
    failpoint: (name) => {
      if (!reached.has(name)) appendFileSync(order.pointsFile, `${name}\n`);
      reached.add(name);
      failpoint(name);
    },
    toolsets: { rig },
    toolsetProcess: join(import.meta.dirname, 'toolset-process.ts'),
  });
  process.stdout.write('chaos: it serves\n');
  process.once('SIGTERM', () => void app.stop().then(() => process.exit(0)));
} catch (error) {
  process.stdout.write(`chaos: it does not start: ${messageOf(error)}\n`);
  process.exit(7);
}

/** What begins after minutes (retention, snapshots) would never be seen in a run of seconds. */
function shortenLongWaits(): void {
  const real = globalThis.setTimeout;
  globalThis.setTimeout = ((run: () => void, ms?: number, ...args: []) => {
    const isLong = ms !== undefined && ms >= LONG_MS_MIN && ms <= LONG_MS_MAX;
    return real(run, isLong ? SHORT_MS : ms, ...args);
  }) as typeof setTimeout;
  Object.assign(globalThis.setTimeout, real);
}

/** A planted fault, which the harness must find: what was about to be sent is forgotten, as if nobody had written it down. */
async function forgetIntents(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('delete from intent').catch(() => {});
  await client.end();
}

/** A planted fault, which the harness must find: every other delivery is answered before anything is committed, and dropped. */
function answerEarly(): void {
  const http = process.getBuiltinModule('node:http') as { createServer: typeof createServer };
  const real = http.createServer;
  let deliveries = 0;
  http.createServer = ((serve: Parameters<typeof createServer>[1]) =>
    real((request, response) => {
      if (request.url?.startsWith('/webhooks/') && deliveries++ % 2 === 0)
        return void response.writeHead(202).end('{}');
      return (serve as (...args: unknown[]) => void)(request, response);
    })) as typeof createServer;
  process.getBuiltinModule('node:module').syncBuiltinESMExports();
}
