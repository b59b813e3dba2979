/** The world that is attacked: a whole Nightshift, its model, its Slack, its systems, and whatever can be counted about it. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pinRunbooks } from '../../src/rag/index.ts';
import { copyEmbedded, throwawayDatabaseUrl } from '../real-parts/databases.ts';
import { FOREIGN_TOOLS } from './foreign-server.ts';
import { type LedgerEntry, ledgerReader } from './ledger.ts';
import type { Answer, Measurement, Order, PastIncidentSeed, Started } from './nightshift-orders.ts';
import { PAGERDUTY_SECRET } from './pagerduty-replay.ts';
import { patientFetch } from './patient-fetch.ts';
import { type Planner, RUN_LABEL, startPlanner } from './planner.ts';
import { createSinks, type Sinks } from './sinks.ts';
import { APPROVERS, startWorkspace, TEAM, type Workspace } from './slack-workspace.ts';
import { followTimeline, type Timeline } from './timeline.ts';
import { BREACH, type ExtTool } from './toolsets.ts';
import { houseRunbooks, POLICY, toolsetInstances } from './world-files.ts';

/** What of a file system an attacker or an operator put there before the start. */
export interface Prepared {
  /** Runbook files by name, beside those of the house. */
  readonly runbooks: readonly { readonly file: string; readonly text: string; readonly pinned: boolean }[];
  readonly pastIncidents: readonly PastIncidentSeed[];
  readonly ext: readonly ExtTool[];
  /** What the foreign server says that its tools are. */
  readonly foreignTools: { readonly name?: string; readonly tools: readonly object[] };
}

export interface WorldOptions {
  readonly prepared: Prepared;
  readonly breach: boolean;
  /** Configured models in place of the attacker's own. */
  readonly models?: readonly object[];
  /** Whether people use Slack here. */
  readonly slack?: boolean;
  /** How long a card can be answered. */
  readonly ttlSeconds?: number;
  /** Variables that Nightshift finds in its environment, canaries among them. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface World {
  readonly directory: string;
  readonly url: string;
  readonly planner: Planner;
  readonly workspace: Workspace;
  readonly timeline: Timeline;
  readonly sinks: Sinks;
  readonly webhookToken: string;
  /** Whether this Nightshift takes what Slack sends. */
  readonly slackHears: boolean;
  readonly started: Started;
  readonly startMeasured: Measurement;
  ledger(): readonly LedgerEntry[];
  /** Calls the API as a person, or as whoever has this token. */
  api(path: string, options?: { body?: unknown; person?: string }): Promise<{ status: number; body: unknown }>;
  /** Sends a body to a webhook, Alertmanager's say, with these headers over its usual ones; null leaves one out. */
  deliver(
    body: string,
    headers?: Readonly<Record<string, string | null>>,
    door?: string,
  ): Promise<{ status: number; incidents: readonly number[] }>;
  measure(): Promise<Measurement>;
  atFailpoint(name: string, path: string, text: string): Promise<void>;
  /** Where something hostile may point: how often it was asked for anything. */
  readonly counting: { readonly url: string; hits(): number };
  readonly alive: () => boolean;
  stop(): Promise<void>;
}

/** Starts a world in a folder of its own; on the server that NIGHTSHIFT_TEST_DATABASE_URL names, or embedded. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { prepared, breach } = options;
  const directory = mkdtempSync(join(tmpdir(), 'nightshift-attacks-'));
  const sinks = createSinks();
  const served = process.env.NIGHTSHIFT_TEST_DATABASE_URL ? await throwawayDatabaseUrl() : null;
  if (!served) await copyEmbedded(directory);
  await writeFiles(directory, prepared, breach);
  const planner = await startPlanner();
  const workspace = await startWorkspace((body) => sinks.saw('slack', body));
  const pager = await startCounter((body) => sinks.saw('pager', body));
  const counting = await startCounter(() => {});

  const child = fork(join(import.meta.dirname, 'nightshift-process.ts'), [], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => sinks.saw('log', data.toString('utf8')));
  const order = createOrders(child);
  const people = Object.entries(APPROVERS).map(([name, user]) => ({ name, slack: `${TEAM}/${user}` }));
  const settings = {
    mode: 'auto',
    server: { port: 0 },
    dataDir: '.',
    sources: {
      alertmanager: { type: 'alertmanager' },
      pagerduty: { type: 'pagerduty', secrets: [PAGERDUTY_SECRET] },
    },
    toolsets: toolsetInstances(directory),
    models: options.models ?? [{ provider: 'openai', model: 'attacker', baseUrl: planner.url, timeoutSeconds: 3 }],
    // The runs of all cases at once are a storm, and what is folded is not worked on.
    correlation: { by: [RUN_LABEL, 'alertname'], storm: { incidents: 10_000, withinSeconds: 1 } },
    people: [
      ...people,
      { name: 'guest', slack: `${TEAM}/U0GUEST` },
      { name: 'looker', role: 'viewer', slack: `${TEAM}/U0LOOKER` },
    ],
    approval: { ttlSeconds: options.ttlSeconds ?? 900, cardsPerHour: 6 },
    ...(options.slack === false ? {} : { slack: workspace.config }),
    verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 60 },
    // Runs of other cases must not use up the budget that a case is about, its own target's, nor block what did not help them.
    limits: { perNamespaceHour: 1000, concurrency: 16, ineffectiveSeconds: 0 },
    escalation: { webhook: pager.url },
  };
  const started = (await order({
    do: 'start',
    directory,
    databaseUrl: served?.url ?? null,
    settings,
    ext: prepared.ext,
    breach,
    pastIncidents: prepared.pastIncidents,
    env: options.env ?? {},
  })) as Started;
  const tokens = await createTokens(started);
  const { webhookToken } = tokens;
  const request = createRequest(started.url);
  const api: World['api'] = (path, { body, person = 'admin' } = {}) =>
    request(`/api/v1${path}`, tokens.of(person), body === undefined ? undefined : JSON.stringify(body));
  const hearing = await fetch(`${started.url}/slack/events`, { method: 'POST', body: '{}' });

  const timeline = followTimeline(async (after) => (await api(`/events?after=${after}&limit=1000`)).body, sinks);
  return {
    directory,
    url: started.url,
    planner,
    workspace,
    sinks,
    started,
    startMeasured: (await order({ do: 'measure' })) as Measurement,
    webhookToken,
    slackHears: hearing.status !== 404,
    timeline,
    ledger: ledgerReader(directory),
    api,
    async deliver(body, change = {}, door = 'alertmanager') {
      const usual = { authorization: `Bearer ${webhookToken}`, 'content-type': 'application/json' };
      const headers = Object.entries({ ...usual, ...change }).filter(
        (pair): pair is [string, string] => pair[1] !== null,
      );
      const response = await patientFetch(`${started.url}/webhooks/${door}`, { method: 'POST', headers, body });
      const answer = (await response.json().catch(() => ({}))) as { incidents?: number[] };
      return { status: response.status, incidents: answer.incidents ?? [] };
    },
    measure: async () => (await order({ do: 'measure' })) as Measurement,
    atFailpoint: async (name, path, words) => void (await order({ do: 'at-failpoint', name, path, text: words })),
    counting: { url: counting.url, hits: counting.hits },
    alive: () => child.exitCode === null && child.signalCode === null,
    async stop() {
      timeline.stop();
      await order({ do: 'stop' }).catch(() => {});
      child.kill('SIGKILL');
      await Promise.all([planner.stop(), workspace.stop(), pager.stop(), counting.stop()]);
      await served?.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function writeFiles(directory: string, { runbooks, foreignTools }: Prepared, breach: boolean): Promise<void> {
  const folder = join(directory, 'runbooks');
  for (const name of [folder, join(directory, 'policies'), join(directory, 'scenes')])
    mkdirSync(name, { recursive: true });
  writeFileSync(join(directory, 'policies', 'policy.yaml'), POLICY);
  writeFileSync(join(directory, FOREIGN_TOOLS), JSON.stringify(foreignTools));
  if (breach) writeFileSync(join(directory, BREACH), '');
  const house = houseRunbooks(breach).map((one) => ({ ...one, pinned: true }));
  for (const { file, text: words } of [...house, ...runbooks.filter(({ pinned }) => pinned)])
    writeFileSync(join(folder, file), words);
  await pinRunbooks([folder]);
  for (const { file, text: words } of runbooks.filter(({ pinned }) => !pinned))
    writeFileSync(join(folder, file), words);
}

type Unnumbered = Order extends infer One ? (One extends Order ? Omit<One, 'id'> : never) : never;

function createOrders(child: ChildProcess): (order: Unnumbered) => Promise<unknown> {
  let serial = 0;
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  child.on('message', ({ id, result, error }: Answer) => {
    const one = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) one?.resolve(result);
    else one?.reject(new Error(error));
  });
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the process of Nightshift has ended'));
  });
  return (order) =>
    new Promise((resolve, reject) => {
      serial += 1;
      waiting.set(serial, { resolve, reject });
      child.send({ ...order, id: serial }, (error) => error && reject(error));
    });
}

function createRequest(url: string) {
  return async (path: string, token: string, body?: string) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await patientFetch(`${url}${path}`, {
      headers,
      ...(body === undefined ? {} : { method: 'POST', body }),
    });
    return { status: response.status, body: (await response.json().catch(() => null)) as unknown };
  };
}

async function createTokens({ url, adminTokenFile, webhookTokenFile }: Started) {
  const [admin, webhookToken] = [adminTokenFile, webhookTokenFile].map((file) => readFileSync(file, 'utf8').trim()) as [
    string,
    string,
  ];
  const secrets = new Map([['admin', admin]]);
  const request = createRequest(url);
  for (const name of Object.keys(APPROVERS)) {
    const { body } = await request('/api/v1/tokens', admin, JSON.stringify({ name, role: 'approver' }));
    secrets.set(name, (body as { secret: string }).secret);
  }
  return { webhookToken, of: (person: string) => secrets.get(person) ?? 'nobody' };
}

async function startCounter(onBody: (body: string) => void) {
  let hits = 0;
  const server = createServer(async (request, response) => {
    hits += 1;
    onBody(await text(request));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    hits: () => hits,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
