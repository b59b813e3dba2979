/** A whole Nightshift inside the test's process, on a database of its own, with a real service and a real directory to mend. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, type AppDependencies, startApp } from '../../../src/app.ts';
import { type ConfigSource, parseConfig } from '../../../src/config/index.ts';
import { TOOLSETS, type Toolset } from '../../../src/mcp-tools/index.ts';
import { pinRunbooks } from '../../../src/rag/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { copyEmbedded, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { undocumented } from '../../real-parts/documented.ts';

export interface Service {
  readonly instance: string;
  /** Jobs that wait; /healthz is 200 only when there are none and `broken` is false. */
  readonly spool: string;
  broken: boolean;
  jam(count?: number): Promise<void>;
  jobs(): Promise<string[]>;
  clear(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a small service that is ill while its spool holds jobs, and that purging the spool heals. */
export async function startService(): Promise<Service> {
  const spool = await mkdtemp(join(tmpdir(), 'nightshift-spool-'));
  const server = createServer((_request, response) => {
    readdir(spool).then(
      (jobs) => response.writeHead(jobs.length === 0 && !service.broken ? 200 : 503).end(),
      // Whoever hung up does not keep the spool from being removed under what still reads it for them.
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const service: Service = {
    instance: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    spool,
    broken: false,
    async jam(count = 1) {
      for (let index = 0; index < count; index += 1)
        await writeFile(join(spool, `${Date.now()}-${index}.job`), 'poison');
    },
    jobs: () => readdir(spool),
    async clear() {
      for (const job of await readdir(spool)) await rm(join(spool, job));
    },
    async stop() {
      await new Promise((resolve) => server.close(resolve));
      await rm(spool, { recursive: true, force: true });
    },
  };
  return service;
}

export interface TestNightshift {
  readonly app: App;
  readonly dataDir: string;
  /** Where another program finds the same database; null for the embedded one, which has no other door. */
  readonly databaseUrl: string | null;
  readonly log: () => Record<string, unknown>[];
  api<T = Record<string, unknown>>(path: string, body?: unknown, token?: string): Promise<{ status: number; body: T }>;
  deliver(
    alerts: readonly object[],
    change?: { token?: string | null; body?: string },
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  incident(id: number): Promise<ShownIncident>;
  until(id: number, state: string | ((incident: ShownIncident) => boolean)): Promise<ShownIncident>;
  stop(): Promise<void>;
}

export interface ShownIncident {
  readonly id: string;
  readonly state: string;
  readonly needs: string | null;
  readonly foldedUnder: string | null;
  readonly held: string | null;
  readonly incidents: readonly string[];
  readonly cycle: number;
  readonly attempt: number;
  readonly alerts: readonly {
    status: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
  }[];
  readonly actions: readonly {
    id: string;
    tool: string;
    arguments: Record<string, unknown>;
    status: string;
    origin: string;
    decision: { decision: string; spoke: { rule: string }[] } | null;
  }[];
  readonly approvals: readonly { id: string; status: string; card: string[]; digest: string }[];
  readonly evidence: readonly { ref: string; kind: string; title: string; content: string }[];
  readonly diagnosis: { mode: string; inconclusive: boolean; citations: { evidence: string }[] } | null;
  readonly events: readonly { type: string; actor: string; at: string; data: Record<string, unknown> }[];
}

export interface Setup {
  readonly database: 'embedded' | 'postgres';
  readonly config?: object;
  readonly runbooks?: Readonly<Record<string, string>>;
  readonly policy?: string;
  /** What stands in services.yaml; there is none where it is left out. */
  readonly services?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether an operator vouches for the runbooks; true where it is left out. */
  readonly pinned?: boolean;
  /** Starts again in the data directory of an earlier one. */
  readonly dataDir?: string;
  /** Starts on this Postgres, which stays. */
  readonly databaseUrl?: string;
  /** Called at named points of the work, as in src/app.ts. */
  readonly failpoint?: (name: string) => void;
  /** Adds to what `/mcp` offers, as in src/app.ts. */
  readonly extendMcp?: AppDependencies['extendMcp'];
  /** Further toolsets than those that ship, and the file that serves all of them. */
  readonly more?: { readonly toolsets: Readonly<Record<string, Toolset>>; readonly processFile: string };
}

const POLICY = 'rules:\n  - {name: safe-remedies, risks: [safe], decision: allow, reason: safe}\n';

/** Starts Nightshift with these runbooks and settings; it listens on a free loopback port. */
export async function startNightshift({
  database,
  config = {},
  runbooks = {},
  policy = POLICY,
  services,
  env = {},
  dataDir,
  databaseUrl,
  failpoint = () => {},
  pinned = true,
  extendMcp,
  more,
}: Setup): Promise<TestNightshift> {
  const directory = dataDir ?? (await mkdtemp(join(tmpdir(), 'nightshift-test-')));
  for (const folder of ['runbooks', 'policies']) await mkdir(join(directory, folder), { recursive: true });
  for (const [name, text] of Object.entries(runbooks)) await writeFile(join(directory, 'runbooks', name), text);
  if (pinned) await pinRunbooks([join(directory, 'runbooks')]);
  await writeFile(join(directory, 'policies', 'test.yaml'), policy);
  const served = database === 'postgres' && databaseUrl === undefined ? await throwawayDatabaseUrl() : null;
  if (database === 'embedded' && dataDir === undefined) await copyEmbedded(directory);
  const settings = {
    mode: 'auto',
    server: { port: 0 },
    dataDir: '.',
    verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 2 },
    limits: { perTargetTenMinutes: 50, perTargetDay: 50, ineffectiveSeconds: 0 },
    ...config,
  };
  const lines: string[] = [];
  const toolsets = { ...TOOLSETS, ...more?.toolsets };
  const servicesFile = join(directory, 'services.yaml');
  if (services !== undefined) await writeFile(servicesFile, services);
  const start = async (url: string | undefined) => {
    const source: ConfigSource = {
      env: { ...env, ...(url ? { DATABASE_URL: url } : {}), NIGHTSHIFT_LOG_LEVEL: 'debug' },
      directory,
      toolsetSettings: Object.fromEntries(Object.entries(toolsets).map(([name, toolset]) => [name, toolset.settings])),
      file: { path: 'nightshift.yaml', text: JSON.stringify(settings) },
      readFile: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : null),
    };
    return startApp({
      config: parseConfig(source),
      readConfig: () => parseConfig(source),
      log: createLogger('debug', { write: (line) => void lines.push(line) }),
      onProgress: () => {},
      failpoint,
      extendMcp,
      ...(more ? { toolsets, toolsetProcess: more.processFile } : {}),
    });
  };
  const app = await start(databaseUrl ?? served?.url);
  const admin = (await readFile(app.adminTokenFile, 'utf8')).trim();
  const webhook = (await readFile(app.webhookTokenFile, 'utf8')).trim();

  const request = async (path: string, token: string | null, body?: string) => {
    const headers = {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      'content-type': 'application/json',
    };
    const response = await fetch(`${app.url}${path}`, {
      headers,
      ...(body === undefined ? {} : { method: 'POST', body }),
    });
    const answer = (await response.json()) as never;
    const method = body === undefined ? 'GET' : 'POST';
    const type = response.headers.get('content-type') ?? '';
    const wrong = undocumented({ method, path, status: response.status, type, body: answer });
    if (wrong.length > 0) throw new Error(`not as the document has it:\n${wrong.join('\n')}`);
    return { status: response.status, body: answer };
  };
  const incident = async (id: number) => (await request(`/api/v1/incidents/${id}`, admin)).body as ShownIncident;
  return {
    app,
    dataDir: directory,
    databaseUrl: databaseUrl ?? served?.url ?? null,
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    api: (path, body, token = admin) =>
      request(`/api/v1${path}`, token, body === undefined ? undefined : JSON.stringify(body)),
    deliver: (alerts, { token = webhook, body } = {}) =>
      request(
        '/webhooks/alertmanager',
        token,
        body ?? JSON.stringify({ version: '4', groupKey: '{}:{}', status: 'firing', receiver: 'nightshift', alerts }),
      ),
    incident,
    async until(id, state) {
      const reached = typeof state === 'string' ? (one: ShownIncident) => one.state === state : state;
      const deadline = Date.now() + 20_000;
      for (;;) {
        const now = await incident(id);
        if (reached(now)) return now;
        if (Date.now() > deadline)
          throw new Error(
            `INC-${id} is still ${now.state}:\n${now.events.map((event) => `${event.type} ${JSON.stringify(event.data).slice(0, 300)}`).join('\n')}`,
          );
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async stop() {
      await app.stop();
      await served?.drop();
      if (dataDir === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** An alert as Alertmanager sends it. */
export function alert(labels: Record<string, string>, change: object = {}): object {
  return {
    status: 'firing',
    labels: { alertname: 'SpoolStuck', service: 'shop', severity: 'critical', ...labels },
    annotations: { summary: 'jobs pile up' },
    startsAt: '2026-11-01T10:00:00.000Z',
    endsAt: '0001-01-01T00:00:00Z',
    generatorURL: 'http://prometheus/graph',
    fingerprint: 'f00d',
    ...change,
  };
}
