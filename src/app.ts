import { rmSync, writeFileSync } from 'node:fs';
import { parseMatcherList } from './alert/index.ts';
import type { ConfigReloader } from './api/index.ts';
import { createSealer } from './audit/index.ts';
import { createDumper, createSnapshots, explainDamage, finishRestore, VERSION } from './backup/index.ts';
import type { Config } from './config/index.ts';
import { createConsole } from './console/index.ts';
import { lockDataDir, openEmbedded, openPostgres } from './database/index.ts';
import { createAnswer, loadSpecialists } from './diagnosis/index.ts';
import type { Failpoint } from './failpoints.ts';
import { createKillSwitch } from './gate/index.ts';
import { createIdentity } from './identity/index.ts';
import {
  addEvents,
  createFollower,
  incidentName,
  type NewEvent,
  renderEvent,
  type StoredEvent,
} from './incident/index.ts';
import { createIntake, createSilenceReader, createWebhooks, loadMappings } from './ingest/index.ts';
import { createJudge } from './learning/index.ts';
import { openLiveConfig } from './live-config.ts';
import { createModels } from './llm/index.ts';
import type { McpExtension } from './mcp-server/index.ts';
import { createCatalogue, createLook, createToolClient, TOOLSETS, type Toolset } from './mcp-tools/index.ts';
import { createChannels, createDeadMan, createOutbox, createPinWatch, installationOf } from './notify/index.ts';
import { createWriteBack } from './pagerduty/index.ts';
import { createParts, type Parts, type Unended } from './parts.ts';
import { createMint, readSigningKey } from './policy/index.ts';
import { createEmbedder, createPinOf, createRunbookKeeper } from './rag/index.ts';
import {
  CHANNEL,
  createDriver,
  createGrouping,
  createPeople,
  createPressure,
  createStages,
  startQueue,
} from './remediation/index.ts';
import { createRetention } from './retention/index.ts';
import { createSelfWatch } from './self-watch/index.ts';
import { openServer } from './server.ts';
import { createMetrics, createTracer, type Logger } from './telemetry/index.ts';
import { filesOf, openTokens } from './tokens.ts';

/** A running Nightshift. */
export interface App {
  readonly url: string;
  readonly adminTokenFile: string;
  readonly webhookTokenFile: string;
  /** Reads policies and services again. @throws NightshiftError with every mistake; what was in force stays. */
  readonly reload: ConfigReloader['reload'];
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
  /** Reads the configuration anew for a reload, or throws; where it is left out, only the folders of policies are read again. */
  readonly readConfig?: (() => Config) | undefined;
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
  const parts = createParts();
  try {
    return await wire(dependencies, parts);
  } catch (error) {
    for (const { name, why } of await parts.stop()) dependencies.log.warn({ error: why }, `${name} could not be ended`);
    throw error;
  }
}

async function wire(
  { config: declared, readConfig, log, onProgress, failpoint, toolsets = TOOLSETS, ...own }: AppDependencies,
  parts: Parts,
): Promise<App> {
  const metrics = createMetrics();
  const record = (event: NewEvent) => addEvents(db, null, [event]);
  const live = await openLiveConfig({ config: declared, readConfig, record, metrics, log });
  const { config } = live;
  const tracer = await createTracer(config.tracing, log);
  // The work that has ended by then has its last spans.
  parts.add('told', 'traces', { stop: () => tracer.stop() });
  metrics.build.set({ version: VERSION }, 1);
  const mappings = await loadMappings(config.sources);
  onProgress(
    config.databaseUrl ? 'opening the database' : 'opening the embedded database (the first time takes a few seconds)',
  );
  const { dataDir, databaseUrl, backup } = config;
  // The embedded database takes the lock itself.
  if (databaseUrl) parts.add('database', 'data directory', { stop: lockDataDir(dataDir) });
  const db = await (databaseUrl ? openPostgres(databaseUrl) : openEmbedded(dataDir)).catch(async (error: unknown) => {
    throw await explainDamage(error, { dataDir, folder: backup.folder });
  });
  parts.add('database', 'database', { stop: () => db.close() });
  await finishRestore(db, { dataDir, log });
  const files = filesOf(dataDir);
  const identity = createIdentity({ db, people: config.people, record });
  const killSwitch = createKillSwitch({ db, file: config.killSwitch.file, identity });
  const webhookTokens = parts.add('work', 'webhook tokens', await openTokens(db, { identity, config, log }));

  onProgress('indexing runbooks');
  const embedder = createEmbedder(config.embeddings, log);
  const { runbooks: folders, runbookRemotes: remotes, services } = config;
  const runbooks = parts.add('work', 'runbooks', createRunbookKeeper({ db, folders, remotes, embedder, log }));
  await runbooks.sync();

  const catalogue = createCatalogue(toolsets, config.toolsets);
  const { instances } = catalogue;
  const isAnyRemote = instances.some(({ remote }) => remote !== undefined);
  const mint = createMint(isAnyRemote ? readSigningKey(config.clearances.keyFile) : undefined);
  const { publicKey } = mint;
  const client = createToolClient({ instances, publicKey, metrics, log, processFile: own.toolsetProcess });
  parts.add('tools', 'tools', { stop: client.close });
  const look = createLook(client);
  const models = createModels(config, { db, metrics, log });
  const specialists = loadSpecialists(config.investigation.specialists, catalogue);
  const autonomy = config.autonomy.map(({ match, mode }) => ({ matchers: parseMatcherList(match), mode }));
  const judging = { db, config, autonomy, catalogue, client, pinOf: createPinOf(folders), killSwitch, identity };
  const gate = live.judgingBy(judging);
  const working = { look, mint, models, specialists, embedder, metrics, failpoint };
  const stages = createStages({ ...judging, ...working, currentPolicy: live.policy });

  const queue = parts.add('told', 'queue', await startQueue(db, log));
  const { concurrency } = config.limits;
  const driver = parts.add(
    'work',
    'driver',
    createDriver({ db, queue, stages, concurrency, config, metrics, log, failpoint, tracer }),
  );
  const pressure = parts.add(
    'work',
    'pressure',
    createPressure({ db, queue, limit: config.limits.queue, metrics, log }),
  );
  const people = createPeople({ db, driver, catalogue, identity, killSwitch, failpoint });
  const grouping = createGrouping({ db, driver, identity });
  const urls = new Map(
    Object.entries(config.sources).flatMap(([source, declared]) =>
      declared.type === 'alertmanager' && declared.url ? [[source, declared.url] as const] : [],
    ),
  );
  parts.add('work', 'silences', createSilenceReader({ urls, set: grouping.setSilences, log }));
  const accounts = Object.entries(config.sources).flatMap(([source, declared]) =>
    declared.type === 'pagerduty' && declared.api ? [{ source, ...declared.api }] : [],
  );
  const told = { db, installation: await installationOf(db), publicUrl: config.slack?.publicUrl, log };
  const writtenBack = accounts.map(({ source }) => source);
  const channels = createChannels(config.escalation, { ...told, writtenBack });
  parts.add('told', 'outbox', createOutbox({ db, channels, metrics, log, failpoint }));
  if (accounts.length > 0) parts.add('told', 'write-back', createWriteBack({ ...told, accounts, metrics, failpoint }));
  if (config.deadMan) parts.add('work', 'dead man', createDeadMan({ db, config: config.deadMan, metrics, log }));
  parts.add('work', 'pin watch', createPinWatch({ db, instances, client, metrics, log }));
  const { cardsPerHour } = config.approval;
  // Loaded only where it is used: its SDKs are large.
  const slack = config.slack && { config: config.slack, ...(await import('./slack/index.ts')) };
  if (slack) {
    const outgoing = { db, config: slack.config, services, cardsPerHour, log, metrics, failpoint };
    parts.add('told', 'slack threads', slack.createSlackOutgoing(outgoing));
  }
  const ports = {
    people,
    identity,
    killSwitch,
    db,
    answer: createAnswer({ db, models, embedder }),
    tools: instances.flatMap(({ tools }) => tools),
    renderEvent: showEvent,
  };
  const slackIncoming =
    slack &&
    parts.add('work', 'slack', slack.createSlackIncoming({ config: slack.config, services, ports, metrics, log }));
  if (db.guard.by === 'trigger') log.warn({ because: db.guard.because }, 'only triggers guard the audit');
  parts.add('work', 'judge', createJudge({ db, models, config: config.judge, metrics, log, tracer }));
  const sealer = parts.add('audit', 'sealer', createSealer({ db, log, headFile: files.auditHead, failpoint }));
  const dumper = createDumper({ db, dataDir, databaseUrl });
  parts.add('work', 'snapshots', createSnapshots({ dumper, config: backup, metrics, log, failpoint }));
  parts.add(
    'work',
    'retention',
    createRetention({ db, config: config.retention, sealNow: sealer.sealNow, metrics, log, failpoint }),
  );

  const watchdog = config.deadMan
    ? { matchers: parseMatcherList(config.deadMan.match), source: config.deadMan.source ?? null }
    : null;
  const intake = createIntake({ db, config, watchdog, wake: driver.wake, log, onCommitted: driver.kick, failpoint });
  const watched = { db, queue, config: config.selfWatch, intake, metrics, log };
  parts.add('work', 'self-watch', createSelfWatch(watched));
  const webhooks = createWebhooks({ sources: config.sources, mappings, token: webhookTokens, intake, metrics, log });
  const follower = parts.add('work', 'follower', createFollower({ db, channel: CHANNEL, log }));
  const asked = { db, config, identity, killSwitch, people, grouping, runbooks, models, embedder, dumper, pressure };
  const pages = parts.add('work', 'console', createConsole({ log, onProgress }));
  const server = await openServer({
    ...asked,
    follower,
    gate,
    reloader: live,
    console: pages.handler,
    catalogue,
    look,
    webhooks,
    slack: slackIncoming?.router,
    extendMcp: own.extendMcp,
    metrics,
    log,
    tracer,
  });
  parts.add('work', 'requests', { stop: server.close });
  parts.add('tools', 'connections', { stop: server.cut });
  await parts.start();
  server.ready();
  const { url } = server;
  writeFileSync(files.client, `${JSON.stringify({ url, tokenFile: files.admin, pid: process.pid }, null, 2)}\n`, {
    mode: 0o600,
  });

  return {
    url,
    adminTokenFile: files.admin,
    webhookTokenFile: files.webhook,
    reload: live.reload,
    async stop() {
      rmSync(files.client, { force: true });
      const unended = await parts.stop();
      return { parked: unended.every(({ name }) => name !== 'driver'), unended };
    },
  };
}

function showEvent({ incidentId, at, ...event }: StoredEvent): readonly string[] {
  return renderEvent({
    ...event,
    incident: incidentId === null ? null : incidentName(incidentId),
    at: at.toISOString(),
  });
}
