import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express from 'express';
import { parseMatcherList } from './alert/index.ts';
import { createApi, problemHandler } from './api/index.ts';
import { createSealer } from './audit/index.ts';
import { renderEvent } from './cli/index.ts';
import type { Config } from './config/index.ts';
import { openEmbedded, openPostgres } from './database/index.ts';
import { createAnswer } from './diagnosis/index.ts';
import { messageOf } from './errors.ts';
import { createKillSwitch } from './gate/index.ts';
import { createIdentity, newSecret } from './identity/index.ts';
import { addEvents, countIncidents, incidentName } from './incident/index.ts';
import { createIntake, createSilenceReader, createWebhooks, loadMappings } from './ingest/index.ts';
import { createModels } from './llm/index.ts';
import { createMcpRouter, createResourceServer, type McpExtension } from './mcp-server/index.ts';
import { createCatalogue, createLook, createToolClient, TOOLSETS, type Toolset } from './mcp-tools/index.ts';
import { createChannels, createDeadMan, createOutbox, createPinWatch, installationOf } from './notify/index.ts';
import { createWriteBack } from './pagerduty/index.ts';
import { createMint, loadPolicy, readSigningKey } from './policy/index.ts';
import { createEmbedder, createPinOf, createRunbookKeeper, failingRunbooks } from './rag/index.ts';
import { createDriver, createGrouping, createPeople, createStages, startQueue } from './remediation/index.ts';
import { createSlackIncoming, createSlackOutgoing } from './slack/index.ts';
import { createMetrics, type Logger, secretsOf, setSecrets } from './telemetry/index.ts';

/** A running Nightshift. */
export interface App {
  readonly url: string;
  readonly adminTokenFile: string;
  readonly webhookTokenFile: string;
  /** Stops taking requests and work, finishes or parks what is under way, and closes the database. */
  stop(): Promise<void>;
}

export interface AppDependencies {
  readonly config: Config;
  readonly log: Logger;
  /** Told at the start of each step of starting up that may take over a second. */
  readonly onProgress: (step: string) => void;
  readonly failpoint: (name: string) => void;
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
      await end().catch((cause) => dependencies.log.warn({ error: messageOf(cause) }, 'could not be ended'));
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
  const db = config.databaseUrl ? await openPostgres(config.databaseUrl) : await openEmbedded(config.dataDir);
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
  setSecrets([...secretsOf(config), webhookToken, readFileSync(files.admin, 'utf8').trim()]);

  onProgress('indexing runbooks');
  const embedder = createEmbedder(config.embeddings, log);
  const runbooks = createRunbookKeeper({
    db,
    folders: config.runbooks,
    remotes: config.runbookRemotes,
    embedder,
    log,
  });
  begun.push(() => runbooks.stop());
  await runbooks.sync();

  const catalogue = createCatalogue(toolsets, config.toolsets);
  const isAnyRemote = catalogue.instances.some(({ remote }) => remote !== undefined);
  const mint = createMint(isAnyRemote ? readSigningKey(config.clearances.keyFile) : undefined);
  const client = createToolClient({
    instances: catalogue.instances,
    publicKey: mint.publicKey,
    metrics,
    log,
    processFile: toolsetProcess,
  });
  const look = createLook(client);
  const models = createModels(config.models, metrics);
  const reranker = createModels(config.rerank ? [config.rerank] : [], metrics);
  const autonomy = config.autonomy.map(({ match, mode }) => ({ matchers: parseMatcherList(match), mode }));
  const stages = createStages({
    db,
    config,
    autonomy,
    policy,
    catalogue,
    client,
    pinOf: createPinOf(config.runbooks),
    killSwitch,
    identity,
    look,
    mint,
    models,
    reranker,
    embedder,
    metrics,
    failpoint,
  });

  const queue = await startQueue(db, log);
  begun.push(() => queue.stop());
  const driver = createDriver({
    db,
    queue,
    stages,
    concurrency: config.limits.concurrency,
    config,
    metrics,
    log,
    failpoint,
  });
  const people = createPeople({ db, driver, catalogue, identity });
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
  const pinWatch = createPinWatch({ db, instances: catalogue.instances, client, metrics, log });
  const { cardsPerHour } = config.approval;
  const slackOutgoing = config.slack
    ? createSlackOutgoing({
        db,
        config: config.slack,
        services: config.services,
        cardsPerHour,
        log,
        metrics,
        failpoint,
      })
    : null;
  const slackIncoming = config.slack
    ? createSlackIncoming({
        config: config.slack,
        services: config.services,
        ports: {
          people,
          identity,
          killSwitch,
          db,
          answer: createAnswer({ db, models, embedder }),
          tools: catalogue.instances.flatMap(({ tools }) => tools),
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
  const sealer = createSealer({ db, log, headFile: files.auditHead });

  const watchdog = config.deadMan
    ? { matchers: parseMatcherList(config.deadMan.match), source: config.deadMan.source ?? null }
    : null;
  const intake = createIntake({ db, config, watchdog, wake: driver.wake, log, onCommitted: driver.kick });
  let ready = true;
  const app = express().disable('x-powered-by');
  // Before anything reads a body: its signature is over the bytes as they came.
  if (slackIncoming) app.use(slackIncoming.router);
  app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }));
  app.get('/readyz', async (_request, response) => {
    await db.ping();
    response
      .status(ready ? 200 : 503)
      .json({ status: ready ? 'ready' : 'stopping', mode: config.mode, database: db.kind, models: models.names });
  });
  app.get('/metrics', async (_request, response) => {
    metrics.killSwitch.set((await killSwitch.state()).engaged ? 1 : 0);
    for (const [state, count] of Object.entries(await countIncidents(db))) metrics.incidents.set({ state }, count);
    metrics.runbooksFailing.set((await failingRunbooks(db)).length);
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  // Beside express, which takes more than half of the throughput.
  const webhooks = createWebhooks({ sources: config.sources, mappings, token: webhookToken, intake, metrics, log });
  const about = {
    mode: config.mode,
    database: db.kind,
    audit: db.guard.by,
    models: models.names,
    toolsets: catalogue.instances.map(({ name }) => name),
  };
  app.use(
    '/api/v1',
    createApi({ db, services: config.services, people, grouping, identity, killSwitch, embedder, runbooks, about }),
  );
  let port = config.server.port;
  const { host, names } = config.server;
  const oauth = config.server.oauth ? createResourceServer(config.server.oauth, identity) : null;
  if (oauth) app.get(oauth.metadataPath, (_request, response) => void response.json(oauth.metadata));
  const mcp = createMcpRouter({
    ...{ db, services: config.services, people, catalogue, look: createLook(client), embedder, identity },
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
  outbox.start();
  writeBack?.start();
  deadMan?.start();
  pinWatch.start();
  silences.start();
  slackOutgoing?.start();
  slackIncoming?.start();
  sealer.start();
  runbooks.start();
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
      ready = false;
      server.close();
      server.closeIdleConnections();
      await mcp.close();
      await slackIncoming?.stop();
      await runbooks.stop();
      await driver.stop();
      await silences.stop();
      await deadMan?.stop();
      await pinWatch.stop();
      await outbox.stop();
      await writeBack?.stop();
      await slackOutgoing?.stop();
      await client.close();
      server.closeAllConnections();
      await sealer.stop();
      await db.close();
      rmSync(files.client, { force: true });
    },
  };
}

async function listen(server: Server, { host, port }: Config['server']): Promise<Server> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return server;
}

/** Reads a secret of ours from its file, or makes one there that only its owner can read. */
function secretFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secret = newSecret();
  writeFileSync(path, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  return secret;
}
