import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express from 'express';
import { parseMatcherList } from './alert/index.ts';
import { createApi, createHealthRoutes, problemHandler } from './api/index.ts';
import { createSealer } from './audit/index.ts';
import { createDumper, createSnapshots, explainDamage } from './backup/index.ts';
import { renderEvent } from './cli/index.ts';
import type { Config } from './config/index.ts';
import { openEmbedded, openPostgres } from './database/index.ts';
import { createAnswer, loadSpecialists } from './diagnosis/index.ts';
import { endUntil, type Unended } from './ending.ts';
import { knowSentSecrets } from './execution/index.ts';
import type { Failpoint } from './failpoints.ts';
import { createKillSwitch } from './gate/index.ts';
import { createIdentity, secretFile, shareWebhookToken } from './identity/index.ts';
import { addEvents, incidentName } from './incident/index.ts';
import { createIntake, createSilenceReader, createWebhooks, loadMappings } from './ingest/index.ts';
import { createJudge } from './learning/index.ts';
import { createModels } from './llm/index.ts';
import { createMcpRouter, createResourceServer, type McpExtension } from './mcp-server/index.ts';
import { createCatalogue, createLook, createToolClient, TOOLSETS, type Toolset } from './mcp-tools/index.ts';
import {
  createChannels,
  createDeadMan,
  createOutbox,
  createPinWatch,
  installationOf,
  placeholderKeyOf,
} from './notify/index.ts';
import { createWriteBack } from './pagerduty/index.ts';
import { createMint, loadPolicy, readSigningKey } from './policy/index.ts';
import { createEmbedder, createPinOf, createRunbookKeeper } from './rag/index.ts';
import {
  createDriver,
  createGrouping,
  createPeople,
  createPressure,
  createStages,
  startQueue,
} from './remediation/index.ts';
import { createRetention } from './retention/index.ts';
import { createSlackIncoming, createSlackOutgoing } from './slack/index.ts';
import { createMetrics, type Logger, secretsOf, setPlaceholderKey, setSecrets } from './telemetry/index.ts';

/**
 * By when what is ended has ended, in milliseconds after the word to stop: what takes work, and the work itself; what tells others of it; the tools;
 * the audit; the database. Each may use what those before it left.
 */
const STOP_MS = { work: 14_500, told: 16_500, tools: 17_500, audit: 18_500, database: 19_300 };
/** A start that failed waits no longer for each part that it had begun. */
const UNDO_MS = 3000;

/** A running Nightshift. */
export interface App {
  readonly url: string;
  readonly adminTokenFile: string;
  readonly webhookTokenFile: string;
  /**
   * Stops taking requests and work, finishes or parks what is under way, and closes the database. Takes less than 20 s, whatever hangs, and
   * never throws.
   */
  stop(): Promise<Stopped>;
}

/** How a stop went. */
export interface Stopped {
  /** Whether every incident that was being worked on has landed or was given back. */
  readonly parked: boolean;
  readonly unended: readonly Unended[];
}

export interface AppDependencies {
  readonly config: Config;
  readonly log: Logger;
  /** Told at the start of each step of starting up that may take over a second. */
  readonly onProgress: (step: string) => void;
  readonly failpoint: Failpoint;
  /** The toolsets that the configuration may use; those that come with Nightshift where it is left out. */
  readonly toolsets?: Readonly<Record<string, Toolset>>;
  /** Path of the file that a toolset's process runs; it must serve `toolsets`. */
  readonly toolsetProcess?: string | undefined;
  /** Adds to what `/mcp` offers. */
  readonly extendMcp?: McpExtension | undefined;
}

/**
 * Wires every part to every other and starts serving. The one place that knows them all. What was begun before a failure is ended.
 * @throws NightshiftError when the configuration, the policy, the data directory or the database is not in order.
 */
export async function startApp(dependencies: AppDependencies): Promise<App> {
  const begun: (() => Promise<void>)[] = [];
  try {
    return await wire(dependencies, begun);
  } catch (error) {
    for (const end of begun.reverse())
      for (const { why } of await endUntil(Date.now() + UNDO_MS, [{ name: 'a part', end }]))
        dependencies.log.warn({ error: why }, 'could not be ended');
    throw error;
  }
}

async function wire(
  { config, log, onProgress, failpoint, toolsets = TOOLSETS, toolsetProcess, extendMcp }: AppDependencies,
  begun: (() => Promise<void>)[],
): Promise<App> {
  const metrics = createMetrics();
  const policy = await loadPolicy(config.policies);
  const mappings = await loadMappings(config.sources);
  onProgress(
    config.databaseUrl ? 'opening the database' : 'opening the embedded database (the first time takes a few seconds)',
  );
  const { dataDir, databaseUrl, backup } = config;
  const db = await (databaseUrl ? openPostgres(databaseUrl) : openEmbedded(dataDir)).catch(async (error: unknown) => {
    throw await explainDamage(error, { dataDir, folder: backup.folder });
  });
  begun.push(() => db.close());
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const files = {
    admin: join(config.dataDir, 'admin.token'),
    webhook: join(config.dataDir, 'webhook.token'),
    client: join(config.dataDir, 'client.json'),
    auditHead: join(config.dataDir, 'audit.head'),
  };
  const identity = createIdentity({ db, people: config.people, record: (event) => addEvents(db, null, [event]) });
  const killSwitch = createKillSwitch({ db, file: config.killSwitch.file, identity });
  const admin = { name: 'admin', person: 'admin', role: 'admin' } as const;
  if (!(await identity.setToken({ ...admin, secret: secretFile(files.admin) }))) {
    // It was revoked. Whoever can write this file is an administrator all the same, so it gets a new one.
    rmSync(files.admin);
    await identity.setToken({ ...admin, secret: secretFile(files.admin) });
  }
  const webhookToken = secretFile(files.webhook);
  const replica = readFileSync(files.admin, 'utf8').trim();
  const webhookTokens = await shareWebhookToken(db, { secret: webhookToken, replica, log });
  setPlaceholderKey(await placeholderKeyOf(db));
  setSecrets([...secretsOf(config), webhookToken, replica]);
  await knowSentSecrets(db, null);

  onProgress('indexing runbooks');
  const embedder = createEmbedder(config.embeddings, log);
  const { runbooks: folders, runbookRemotes: remotes, services } = config;
  const runbooks = createRunbookKeeper({ db, folders, remotes, embedder, log });
  begun.push(() => runbooks.stop());
  await runbooks.sync();

  const catalogue = createCatalogue(toolsets, config.toolsets);
  const { instances } = catalogue;
  const isAnyRemote = instances.some(({ remote }) => remote !== undefined);
  const mint = createMint(isAnyRemote ? readSigningKey(config.clearances.keyFile) : undefined);
  const { publicKey } = mint;
  const client = createToolClient({ instances, publicKey, metrics, log, processFile: toolsetProcess });
  const look = createLook(client);
  const models = createModels(config, { db, metrics, log });
  const specialists = loadSpecialists(config.investigation.specialists, catalogue);
  const autonomy = config.autonomy.map(({ match, mode }) => ({ matchers: parseMatcherList(match), mode }));
  const gate = { db, config, autonomy, policy, catalogue, client, pinOf: createPinOf(folders), killSwitch, identity };
  const stages = createStages({ ...gate, look, mint, models, specialists, embedder, metrics, failpoint });

  const queue = await startQueue(db, log);
  begun.push(() => queue.stop());
  const { concurrency } = config.limits;
  const driver = createDriver({ db, queue, stages, concurrency, config, metrics, log, failpoint });
  const pressure = createPressure({ db, queue, limit: config.limits.queue, metrics, log });
  const people = createPeople({ db, driver, catalogue, identity, failpoint });
  const grouping = createGrouping({ db, driver, identity });
  const urls = new Map(
    Object.entries(config.sources).flatMap(([source, declared]) =>
      declared.type === 'alertmanager' && declared.url ? [[source, declared.url] as const] : [],
    ),
  );
  const silences = createSilenceReader({ urls, set: grouping.setSilences, log });
  const accounts = Object.entries(config.sources).flatMap(([source, declared]) =>
    declared.type === 'pagerduty' && declared.api ? [{ source, ...declared.api }] : [],
  );
  const told = { db, installation: await installationOf(db), publicUrl: config.slack?.publicUrl, log };
  const writtenBack = accounts.map(({ source }) => source);
  const channels = createChannels(config.escalation, { ...told, writtenBack });
  const outbox = createOutbox({ db, channels, metrics, log, failpoint });
  const writeBack = accounts.length > 0 ? createWriteBack({ ...told, accounts, metrics, failpoint }) : null;
  const deadMan = config.deadMan ? createDeadMan({ db, config: config.deadMan, metrics, log }) : null;
  const pinWatch = createPinWatch({ db, instances, client, metrics, log });
  const { cardsPerHour } = config.approval;
  const slackOutgoing = config.slack
    ? createSlackOutgoing({ db, config: config.slack, services, cardsPerHour, log, metrics, failpoint })
    : null;
  const slackIncoming = config.slack
    ? createSlackIncoming({
        config: config.slack,
        services,
        ports: {
          people,
          identity,
          killSwitch,
          db,
          answer: createAnswer({ db, models, embedder }),
          tools: instances.flatMap(({ tools }) => tools),
          renderEvent: ({ incidentId, at, ...event }) =>
            renderEvent({
              ...event,
              incident: incidentId === null ? null : incidentName(incidentId),
              at: at.toISOString(),
            }),
        },
        metrics,
        log,
      })
    : null;
  if (db.guard.by === 'trigger') log.warn({ because: db.guard.because }, 'only triggers guard the audit');
  const judge = createJudge({ db, models, config: config.judge, metrics, log });
  const sealer = createSealer({ db, log, headFile: files.auditHead, failpoint });
  const dumper = createDumper({ db, dataDir, databaseUrl });
  const snapshots = createSnapshots({ dumper, config: backup, metrics, log, failpoint });
  const retention = createRetention({ db, config: config.retention, sealNow: sealer.sealNow, log, failpoint });

  const watchdog = config.deadMan
    ? { matchers: parseMatcherList(config.deadMan.match), source: config.deadMan.source ?? null }
    : null;
  const intake = createIntake({ db, config, watchdog, wake: driver.wake, log, onCommitted: driver.kick, failpoint });
  let ready = true;
  const app = express().disable('x-powered-by');
  // Before anything reads a body: its signature is over the bytes as they came.
  if (slackIncoming) app.use(slackIncoming.router);
  const { mode } = config;
  app.use(createHealthRoutes({ db, killSwitch, pressure, metrics, mode, models: models.names, isReady: () => ready }));
  // Beside express, which takes more than half of the throughput.
  const webhooks = createWebhooks({ sources: config.sources, mappings, token: webhookTokens, intake, metrics, log });
  const about = {
    mode,
    database: db.kind,
    audit: db.guard.by,
    models: models.names,
    toolsets: instances.map(({ name }) => name),
  };
  const asked = { db, services, people, identity, embedder };
  app.use(
    '/api/v1',
    createApi({
      ...asked,
      grouping,
      killSwitch,
      runbooks,
      models,
      about,
      dumper,
      backupFolder: backup.folder,
      killSwitchFile: config.killSwitch.file,
      pressure,
    }),
  );
  let port = config.server.port;
  const { host, names } = config.server;
  const oauth = config.server.oauth ? createResourceServer(config.server.oauth, identity) : null;
  if (oauth) app.get(oauth.metadataPath, (_request, response) => void response.json(oauth.metadata));
  const mcp = createMcpRouter({
    ...asked,
    catalogue,
    look,
    oauth,
    extend: extendMcp,
    hosts: () => [...[host, '127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`), ...names],
  });
  app.use('/mcp', mcp.router);
  app.use(
    (request, response) =>
      void response
        .status(404)
        .json({ status: 404, code: 'not_found', detail: `there is no ${request.method} ${request.path}` }),
  );
  app.use(problemHandler(log));

  const serve: RequestListener = (request, response) => {
    if (!webhooks(request, response)) app(request, response);
  };
  const server = await listen(createServer(serve), config.server);
  begun.push(async () => void server.close());
  await driver.start();
  pressure.start();
  outbox.start();
  writeBack?.start();
  deadMan?.start();
  pinWatch.start();
  silences.start();
  slackOutgoing?.start();
  slackIncoming?.start();
  sealer.start();
  retention.start();
  judge.start();
  snapshots.start();
  runbooks.start();
  webhookTokens.start();
  port = (server.address() as AddressInfo).port;
  const url = `http://${config.server.host.includes(':') ? `[${config.server.host}]` : config.server.host}:${port}`;
  writeFileSync(files.client, `${JSON.stringify({ url, tokenFile: files.admin, pid: process.pid }, null, 2)}\n`, {
    mode: 0o600,
  });

  return {
    url,
    adminTokenFile: files.admin,
    webhookTokenFile: files.webhook,
    async stop() {
      const asked = Date.now();
      ready = false;
      server.close();
      server.closeIdleConnections();
      const end = (within: keyof typeof STOP_MS, ends: Readonly<Record<string, () => unknown>>) =>
        endUntil(
          asked + STOP_MS[within],
          Object.entries(ends).map(([name, one]) => ({ name, end: one })),
        );
      const unended = await end('work', {
        driver: driver.stop,
        pressure: pressure.stop,
        mcp: mcp.close,
        snapshots: snapshots.stop,
        slack: () => slackIncoming?.stop(),
        runbooks: runbooks.stop,
        judge: judge.stop,
        silences: silences.stop,
        'dead man': () => deadMan?.stop(),
        'pin watch': pinWatch.stop,
        retention: retention.stop,
        'webhook tokens': webhookTokens.stop,
      });
      const parked = unended.every(({ name }) => name !== 'driver');
      unended.push(
        ...(await end('told', {
          outbox: outbox.stop,
          'write-back': () => writeBack?.stop(),
          'slack threads': () => slackOutgoing?.stop(),
        })),
        ...(await end('tools', { tools: client.close, connections: () => server.closeAllConnections() })),
        ...(await end('audit', { sealer: sealer.stop })),
        ...(await end('database', { database: () => db.close() })),
      );
      rmSync(files.client, { force: true });
      return { parked, unended };
    },
  };
}

async function listen(server: Server, { host, port }: Config['server']): Promise<Server> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return server;
}
