/** SIGTERM while something hangs for ever: Nightshift is gone within 20 s, and what it was doing goes on at the next start, nothing twice. */
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { describe, it } from 'vitest';
import { pinRunbooks } from '../../src/rag/index.ts';
import {
  type CountingSupervisor,
  listen,
  type Pages,
  startCountingSupervisor,
  startPages,
} from '../integration/support/doubles.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../real-parts/database-proxy.ts';
import { copyEmbedded, throwawayDatabaseUrl } from '../real-parts/databases.ts';
import { type Nightshift, startNightshift } from '../real-parts/nightshift.ts';
import { eventually, scratchDirectory } from '../real-parts/program.ts';

const STOP_MS_MAX = 20_000;
const RUNBOOK = `---
match: ['service="shop"']
steps: [{ tool: supervisor.restart, with: { process: shop }, why: It hangs. }]
verify: [{ tool: http.probe, with: { url: "http://PAGES/shop" }, expect: status == 200, within: 1s }]
---
# Restart it
The process hangs, and a restart frees it.
`;

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly actions: readonly { status: string }[];
  readonly events: readonly { type: string }[];
}

interface Scene {
  readonly nightshift: () => Nightshift;
  readonly supervisor: CountingSupervisor;
  readonly proxy: DatabaseProxy | null;
  /** The states of the jobs, asked past Nightshift; null for the embedded database, which has no other door. */
  jobs(): Promise<string[] | null>;
  /** Lets the answers to the remedy, or those of the model, never come. */
  readonly hung: { tool: boolean; model: boolean; asked: number };
  deliver(): Promise<void>;
  incident(): Promise<Shown>;
  /** Sends SIGTERM; gives how it ended and how long that took. */
  terminate(): Promise<{ code: number | null; signal: string | null; ms: number }>;
  restart(): Promise<void>;
}

/** Runs something once the test is over; the last one first. */
type Finally = (end: () => void | Promise<void>) => void;

/** Starts what answers for another server, as long as it is not told to keep silent from here on. */
async function startHanging(answer: (body: string) => Promise<Response | null>, atEnd: Finally): Promise<string> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const given = await answer(Buffer.concat(chunks).toString());
    if (given === null) return;
    const type = given.headers.get('content-type') ?? 'text/plain';
    response.writeHead(given.status, { 'content-type': type }).end(await given.text());
  });
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://${await listen(server)}`;
}

async function setScene(
  database: 'embedded' | 'postgres',
  atEnd: Finally,
  { hang, model }: { hang?: 'tool' | 'model'; model?: boolean } = {},
): Promise<Scene> {
  const { path: dataDir, remove } = scratchDirectory();
  atEnd(remove);
  const served = database === 'postgres' ? await throwawayDatabaseUrl() : null;
  if (served) atEnd(served.drop);
  else await copyEmbedded(dataDir);
  const proxy = served ? await startDatabaseProxy(served.url) : null;
  if (proxy) atEnd(() => proxy.stop());
  const pages: Pages = await startPages();
  atEnd(() => pages.stop());
  pages.ill.add('shop');
  const supervisor = await startCountingSupervisor();
  atEnd(() => supervisor.stop());
  supervisor.onStart = () => void pages.ill.delete('shop');
  const hung = { tool: hang === 'tool', model: hang === 'model', asked: 0 };
  const tool = await startHanging(async (body) => {
    const answer = await fetch(supervisor.url, { method: 'POST', body });
    // It is done, and nobody ever hears of it.
    return body.includes('startProcess') && hung.tool ? null : answer;
  }, atEnd);
  const asked = await startHanging(async () => {
    hung.asked += 1;
    return hung.model ? null : new Response('{}', { status: 500 });
  }, atEnd);
  const runbooks = join(dataDir, 'runbooks');
  mkdirSync(runbooks);
  writeFileSync(join(runbooks, 'restart.md'), RUNBOOK.replace('PAGES', pages.instance));
  await pinRunbooks([runbooks]);
  const config = {
    mode: 'auto',
    runbooks: [runbooks],
    verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 5 },
    toolsets: {
      processes: { uses: 'supervisor', url: tool },
      web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
    },
    ...(model
      ? { models: [{ provider: 'openai', model: 'm', apiKey: 'test', baseUrl: `${asked}/v1`, timeoutSeconds: 120 }] }
      : {}),
  };
  let nightshift: Nightshift;
  const start = async () => {
    nightshift = await startNightshift({ dataDir, config, env: proxy ? { DATABASE_URL: proxy.url } : {} });
  };
  await start();
  atEnd(() => nightshift.stop().then(() => {}));
  return {
    nightshift: () => nightshift,
    supervisor,
    proxy,
    hung,
    restart: start,
    async jobs() {
      if (!served) return null;
      const client = new pg.Client({ connectionString: served.url });
      await client.connect();
      try {
        const { rows } = await client.query<{ state: string }>(
          "select state from pgboss.job where name = 'advance-incident' and state < 'completed'",
        );
        return rows.map(({ state }) => state);
      } finally {
        await client.end();
      }
    },
    async deliver() {
      const labels = { alertname: 'Slow', service: 'shop', severity: 'critical', instance: 'shop-1' };
      const one = { status: 'firing', labels, annotations: {}, startsAt: new Date().toISOString(), fingerprint: 'f' };
      const body = { version: '4', status: 'firing', alerts: [one] };
      await nightshift.api('/webhooks/alertmanager', { body, token: nightshift.webhookToken });
    },
    incident: () => nightshift.api<Shown>('/api/v1/incidents/1'),
    async terminate() {
      const began = Date.now();
      process.kill(nightshift.pid, 'SIGTERM');
      const exit = await nightshift.exited;
      return { ...exit, ms: Date.now() - began };
    },
  };
}

const kinds = ['embedded', ...(process.env.NIGHTSHIFT_TEST_DATABASE_URL ? (['postgres'] as const) : [])] as const;

describe.each(kinds)('SIGTERM on %s', (database) => {
  it.concurrent('while a tool hangs: it is parked, and what became of the call is looked at, not asked again', async ({
    expect,
    onTestFinished,
  }) => {
    const scene = await setScene(database, onTestFinished, { hang: 'tool' });
    await scene.deliver();
    await eventually('the remedy was sent', async () => scene.supervisor.started.length > 0 || undefined);
    const { code, ms } = await scene.terminate();
    expect(code, scene.nightshift().output().slice(-3000)).toBe(0);
    expect(ms).toBeLessThan(STOP_MS_MAX);
    expect(scene.nightshift().output()).toMatch(/not finished in time; given back/);
    // Whoever is next need not wait for a heartbeat to lapse.
    expect((await scene.jobs()) ?? []).not.toContain('active');
    scene.hung.tool = false;
    await scene.restart();
    const shown = await eventually('it goes on', async () => {
      const now = await scene.incident();
      return now.state === 'resolved' || now.state === 'escalated' ? now : undefined;
    });
    expect(shown.actions.map(({ status }) => status)).toEqual(['unknown']);
    expect(scene.supervisor.started).toEqual(['shop']);
    expect(shown.events.filter(({ type }) => type === 'action.started')).toHaveLength(1);
  });

  it.concurrent('while a model hangs: it is parked, and goes on at the next start', async ({
    expect,
    onTestFinished,
  }) => {
    const scene = await setScene(database, onTestFinished, { hang: 'model', model: true });
    await scene.deliver();
    await eventually('the model was asked', async () => scene.hung.asked > 0 || undefined);
    const { code, ms } = await scene.terminate();
    expect(code, scene.nightshift().output().slice(-3000)).toBe(0);
    expect(ms).toBeLessThan(STOP_MS_MAX);
    // It ended when it was told to, and nobody need wait for a heartbeat to lapse.
    expect((await scene.jobs()) ?? []).not.toContain('active');
    scene.hung.model = false;
    await scene.restart();
    const shown = await eventually('it goes on', async () => {
      const now = await scene.incident();
      return now.state === 'resolved' || now.state === 'escalated' ? now : undefined;
    });
    expect(scene.supervisor.started.length).toBeLessThanOrEqual(1);
    expect(shown.events.filter(({ type }) => type === 'incident.opened')).toHaveLength(1);
  });

  it('while a client holds a connection', async ({ expect, onTestFinished }) => {
    const scene = await setScene(database, onTestFinished);
    const { host, port } = new URL(scene.nightshift().url);
    const socket: Socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    const head = `POST /webhooks/alertmanager HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1000\r\n`;
    socket.write(`${head}Authorization: Bearer ${scene.nightshift().webhookToken}\r\n\r\n{"version"`);
    await sleep(300);
    const { code, ms } = await scene.terminate();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(STOP_MS_MAX);
    expect(scene.nightshift().output()).not.toMatch(/have not ended/);
  });

  it('said twice ends it at once', async ({ expect, onTestFinished }) => {
    const scene = await setScene(database, onTestFinished, { hang: 'tool' });
    await scene.deliver();
    await eventually('the remedy was sent', async () => scene.supervisor.started.length > 0 || undefined);
    const { pid } = scene.nightshift();
    const ended = scene.terminate();
    await eventually('it stops', async () => scene.nightshift().output().includes('"stopping"') || undefined);
    process.kill(pid, 'SIGINT');
    const { code, ms } = await ended;
    expect(code).toBe(1);
    expect(ms).toBeLessThan(3000);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });
});

describe.each(kinds.filter((kind) => kind === 'postgres'))('SIGTERM with a silent database on %s', (database) => {
  it('ends all the same, and says that it could not give back what it had', async ({ expect, onTestFinished }) => {
    const scene = await setScene(database, onTestFinished, { hang: 'tool' });
    await scene.deliver();
    await eventually('the remedy was sent', async () => scene.supervisor.started.length > 0 || undefined);
    await scene.proxy?.become('silent');
    const { code, ms } = await scene.terminate();
    expect(code, scene.nightshift().output().slice(-3000)).toBe(1);
    expect(ms).toBeLessThan(STOP_MS_MAX);
    expect(scene.nightshift().output()).toMatch(/could not be given back/);
    await scene.proxy?.become('there');
    scene.hung.tool = false;
    await scene.restart();
    const shown = await eventually('it goes on', async () => {
      const now = await scene.incident();
      return now.state === 'resolved' || now.state === 'escalated' ? now : undefined;
    });
    expect(shown.actions.map(({ status }) => status)).toEqual(['unknown']);
    expect(scene.supervisor.started).toEqual(['shop']);
  });
});
