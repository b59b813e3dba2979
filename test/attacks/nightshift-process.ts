/** One whole Nightshift in a process of its own, so that what it takes and whom it talks to can be measured from outside. */
import diagnostics from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { type App, startApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config/index.ts';
import { openEmbedded, openPostgres } from '../../src/database/index.ts';
import { messageOf } from '../../src/errors.ts';
import { openIncident } from '../../src/incident/index.ts';
import { hashEmbedder, rememberIncident } from '../../src/rag/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';
import type { Answer, Order, PastIncidentSeed, StartOrder } from './nightshift-orders.ts';
import { createToolsets } from './toolsets.ts';

const TICK_MS = 20;
const outbound = new Set<string>();
const started = new Set<string>();
const atFailpoint: { name: string; path: string; text: string }[] = [];
const LONG_MS = 300;
const blocked: { at: number; ms: number }[] = [];
let rssMax = 0;
let app: App | null = null;

watchSockets();
watchProcesses();
watchLoop();
process.on('message', (order: Order) => {
  void obey(order).then(
    (result) => answer({ id: order.id, result }),
    (error: unknown) => answer({ id: order.id, error: messageOf(error) }),
  );
});
process.on('disconnect', () => process.exit(1));

function answer(message: Answer): void {
  process.send?.(message);
}

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'start':
      return start(order);
    case 'measure': {
      const rss = process.memoryUsage.rss();
      const most = Math.max(rss, rssMax);
      rssMax = rss;
      const polluted = Object.getOwnPropertyNames(Object.prototype).filter((name) => !USUAL.has(name));
      return { rss, rssMax: most, blocked, outbound: [...outbound], processes: [...started], polluted };
    }
    case 'at-failpoint':
      atFailpoint.push(order);
      return null;
    case 'stop':
      await app?.stop();
      return null;
  }
}

const USUAL = new Set(Object.getOwnPropertyNames(Object.prototype));

async function start({ directory, databaseUrl, settings, ext, breach, pastIncidents, env }: StartOrder) {
  const toolsets = createToolsets({ ext, breach });
  const toolsetSettings = Object.fromEntries(Object.entries(toolsets).map(([name, { settings: own }]) => [name, own]));
  const config = parseConfig({
    env: { ...env, ...(databaseUrl ? { DATABASE_URL: databaseUrl } : {}) },
    directory,
    toolsetSettings,
    file: { path: 'nightshift.yaml', text: JSON.stringify(settings) },
  });
  const remembered = await remember(pastIncidents, databaseUrl, config.dataDir);
  app = await startApp({
    config,
    log: createLogger('info'),
    onProgress: () => {},
    failpoint: reached,
    toolsets,
    toolsetProcess: join(import.meta.dirname, 'toolset-process.ts'),
  });
  const { url, adminTokenFile, webhookTokenFile } = app;
  return { url, adminTokenFile, webhookTokenFile, remembered };
}

/** Through the product's own store; says of each why it could not be kept. */
async function remember(seeds: readonly PastIncidentSeed[], databaseUrl: string | null, dataDir: string) {
  if (seeds.length === 0) return [];
  const db = databaseUrl ? await openPostgres(databaseUrl) : await openEmbedded(dataDir);
  const outcomes: { run: string; problem: string | null }[] = [];
  for (const { run, labels, title, summary, remedies } of seeds) {
    try {
      await db.transaction(async () => {
        const opening = {
          title,
          severity: 'critical',
          labels,
          context: { v: 1 as const },
          because: 'it was',
          actor: 'nightshift',
        };
        const incidentId = await openIncident(db, { ...opening, state: 'stopped', correlationKey: `past ${run}` });
        await rememberIncident(db, { incidentId, cycle: 1, title, summary, labels, remedies }, hashEmbedder);
      });
      outcomes.push({ run, problem: null });
    } catch (error) {
      outcomes.push({ run, problem: messageOf(error) });
    }
  }
  await db.close();
  return outcomes;
}

function reached(name: string): void {
  for (const due of atFailpoint.filter((one) => one.name === name)) {
    atFailpoint.splice(atFailpoint.indexOf(due), 1);
    writeFileSync(due.path, due.text);
  }
}

function watchSockets(): void {
  const connect = Socket.prototype.connect as (...args: unknown[]) => Socket;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    const [first, second] = args.flat(2) as [
      { host?: string; port?: number; path?: string } | number | string | undefined,
      unknown,
    ];
    const to =
      typeof first === 'object'
        ? (first?.path ?? `${first?.host ?? 'localhost'}:${first?.port}`)
        : `${typeof second === 'string' ? `${second}:` : ''}${first}`;
    outbound.add(to);
    return connect.apply(this, args);
  } as typeof Socket.prototype.connect;
}

function watchProcesses(): void {
  diagnostics.subscribe('child_process', (message) => {
    const child = (message as { process?: { spawnargs?: readonly string[] } }).process;
    queueMicrotask(() => {
      const [program = '', ...args] = child?.spawnargs ?? [];
      started.add([program, ...args.filter((arg) => !arg.startsWith('--')).slice(0, 1)].join(' '));
    });
  });
}

/** A gap between two ticks counts as far as this process was really computing: on a busy machine it may just have had to wait. */
function watchLoop(): void {
  let [at, cpu] = [performance.now(), process.cpuUsage()];
  setInterval(() => {
    const now = performance.now();
    const used = process.cpuUsage(cpu);
    const ms = Math.min(now - at - TICK_MS, (used.user + used.system) / 1000);
    if (ms > LONG_MS) blocked.push({ at: Date.now(), ms });
    rssMax = Math.max(rssMax, process.memoryUsage.rss());
    [at, cpu] = [now, process.cpuUsage()];
  }, TICK_MS).unref();
}
