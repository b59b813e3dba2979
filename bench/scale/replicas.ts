import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { decodeCall, encodeResponse } from '../../src/mcp-tools/supervisor/xml-rpc.ts';
import { pinRunbooks } from '../../src/rag/index.ts';
import { throwawayDatabaseUrl } from '../../test/real-parts/databases.ts';
import { type Nightshift, startNightshift } from '../../test/real-parts/nightshift.ts';
import { scratchDirectory } from '../../test/real-parts/program.ts';

/** What models and tools take of one incident: three questions to a model, and one restart. */
const MODEL_MS = 600;
const RESTART_MS = 200;

const RUNBOOK = `---
match: ['alertname="WorkerHangs"']
steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
verify: [{ tool: supervisor.status, with: { process: "{{ labels.process }}" }, expect: 'processes[0].state == "RUNNING"', within: 5s }]
---
# A worker hangs
The worker hangs. A restart frees it.
`;

/** Replicas at work on one Postgres, and what is seen of them from outside. */
export interface Scene {
  readonly replicas: readonly Nightshift[];
  readonly database: pg.Client;
  /** Which process was restarted when, as the supervisor saw it. */
  readonly restarts: readonly { readonly process: string; readonly at: number }[];
  onRestart: (process: string) => void;
}

/** Starts so many replicas with the default settings on one Postgres of their own, beside a slow model and a slow supervisor; ends all of it. */
export async function withReplicas<T>(count: number, run: (scene: Scene) => Promise<T>): Promise<T> {
  const ends: (() => unknown)[] = [];
  try {
    const scratch = scratchDirectory();
    ends.push(scratch.remove);
    const served = await throwawayDatabaseUrl();
    ends.push(served.drop);
    const model = spawn(process.execPath, [join(import.meta.dirname, '../llm/scripted-model.ts'), String(MODEL_MS)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    ends.push(() => model.kill());
    const [baseUrl] = (await once(createInterface({ input: model.stdout }), 'line')) as [string];
    const scene: { -readonly [K in keyof Scene]: Scene[K] } & { restarts: { process: string; at: number }[] } = {
      replicas: [],
      database: new pg.Client({ connectionString: served.url }),
      restarts: [],
      onRestart: () => {},
    };
    const supervisor = await startSupervisor((process) => {
      scene.restarts.push({ process, at: Date.now() });
      scene.onRestart(process);
    });
    ends.push(supervisor.stop);
    const runbooks = join(scratch.path, 'runbooks');
    mkdirSync(runbooks);
    writeFileSync(join(runbooks, 'worker.md'), RUNBOOK);
    await pinRunbooks([runbooks]);
    const config = {
      mode: 'auto',
      runbooks: [runbooks],
      models: [{ provider: 'anthropic', model: 'slow', apiKey: 'none', baseUrl }],
      spending: { incidentUsd: 1000, dayUsd: 100_000 },
      // Each incident is about another process; what limits changes to one, or calls many alerts a storm, is not what is measured.
      limits: { perNamespaceHour: 1000 },
      correlation: { storm: { incidents: 10_000 } },
      verification: { settleSeconds: 0, intervalSeconds: 0.5 },
      toolsets: { processes: { uses: 'supervisor', url: supervisor.url } },
    };
    const webhookToken = randomBytes(32).toString('hex');
    for (let n = 0; n < count; n += 1) {
      const dataDir = join(scratch.path, `replica-${n}`);
      mkdirSync(dataDir);
      writeFileSync(join(dataDir, 'webhook.token'), webhookToken, { mode: 0o600 });
      const replica = await startNightshift({ dataDir, config, env: { DATABASE_URL: served.url } });
      scene.replicas = [...scene.replicas, replica];
      ends.push(replica.stop);
    }
    await scene.database.connect();
    ends.push(() => scene.database.end());
    return await run(scene);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function startSupervisor(onStart: (process: string) => void): Promise<{ url: string; stop: () => void }> {
  const running = new Set<string>();
  const server = createServer(async (request, response) => {
    const { method, params } = decodeCall(await text(request));
    const name = String(params[0] ?? '');
    if (method === 'supervisor.startProcess') {
      await sleep(RESTART_MS);
      running.add(name);
      onStart(name);
    }
    const info = {
      name,
      group: name,
      statename: running.has(name) ? 'RUNNING' : 'FATAL',
      pid: running.has(name) ? 1 : 0,
      start: 1,
      exitstatus: 0,
      description: '',
      spawnerr: '',
    };
    const value = method === 'supervisor.getProcessInfo' ? info : method === 'supervisor.getAllProcessInfo' ? [] : true;
    response.writeHead(200, { 'content-type': 'text/xml' }).end(encodeResponse(value));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}`, stop: () => void server.close() };
}

/** The processor time that a process has used so far, in ms. */
export function processorMs(pid: number): number {
  const [user = 0, system = 0] =
    readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13).map(Number) ?? [];
  return (user + system) * 10;
}
