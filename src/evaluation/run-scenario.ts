import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import { type Config, parseConfig } from '../config/index.ts';
import { messageOf } from '../errors.ts';
import type { Failpoint } from '../failpoints.ts';
import { TOOLSETS } from '../mcp-tools/index.ts';
import { pinRunbooks } from '../rag/index.ts';
import { createLogger, type Logger } from '../telemetry/index.ts';
import { follow } from './follow.ts';
import { beginLedger, readLedger, readPhase } from './ledger.ts';
import { costOf, readModelCalls } from './model-calls.ts';
import type { Approved, Observation, ShownIncident } from './observe.ts';
import type { Scenario } from './scenario.ts';
import { enterScene, PEOPLE } from './scene.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Starts a whole Nightshift in this process; `startApp` of src/app.ts. */
export type StartNightshift = (dependencies: {
  config: Config;
  log: Logger;
  onProgress: (step: string) => void;
  failpoint: Failpoint;
  toolsetProcess: string;
}) => Promise<{ url: string; adminTokenFile: string; webhookTokenFile: string; stop(): Promise<unknown> }>;

export interface RunOptions {
  readonly start: StartNightshift;
  /** Models as configured, and what routes them; none for runbook mode. */
  readonly models: Pick<Config, 'models' | 'routing' | 'spending' | 'investigation'> | null;
  /** A data directory with an empty, migrated database, to be copied. */
  readonly template: string;
}

/**
 * Runs a scenario once through a real Nightshift: its own database, its own policy, real processes of toolsets that answer from the
 * recorded world, a person who answers as the scenario says. Never throws for what the run does; that is part of what was observed.
 */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Observation> {
  const directory = mkdtempSync(join(tmpdir(), 'nightshift-eval-'));
  try {
    return await observe(scenario, directory, options);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function observe(scenario: Scenario, directory: string, options: RunOptions): Promise<Observation> {
  const worldFolder = join(directory, 'world');
  const dataDir = join(directory, 'data');
  const toolsetProcess = await writeFiles(scenario, { directory, worldFolder });
  cpSync(options.template, dataDir, { recursive: true });
  const approved: Approved[] = [];
  let incident: ShownIncident | null = null;
  let failure: string | null = null;
  let times: Pick<Observation, 'diagnosedMs' | 'endedMs'> = { diagnosedMs: null, endedMs: null };
  try {
    const config = configOf(scenario, directory, options);
    const app = await options.start({
      config,
      log: createLogger('silent'),
      onProgress: () => {},
      failpoint: () => {},
      toolsetProcess,
    });
    try {
      const scene = await enterScene(app);
      const followed = await follow(scenario, { scene, worldFolder, approved, isWithModel: options.models !== null });
      incident = followed.incident;
      failure = followed.failure;
      times = followed.times;
    } finally {
      await app.stop();
    }
  } catch (error) {
    failure = messageOf(error);
  }
  const over = scenario.world.phases[readPhase(worldFolder)]?.over ?? false;
  const calls = options.models === null ? [] : await readModelCalls(dataDir);
  const ledger = readLedger(worldFolder);
  return { incident, ledger, approved, over, ...times, calls, costUsd: costOf(calls), failure };
}

/** The shipped runbooks are copied, so that what a scenario finds does not depend on what is committed where it runs. */
async function writeFiles(
  scenario: Scenario,
  { directory, worldFolder }: { directory: string; worldFolder: string },
): Promise<string> {
  const runbooks = join(directory, 'runbooks');
  const policies = join(directory, 'policies');
  for (const folder of [runbooks, policies, worldFolder]) mkdirSync(folder, { recursive: true });
  if (scenario.shippedRunbooks) cpSync(join(ROOT, 'runbooks'), runbooks, { recursive: true });
  const own = Object.entries(scenario.runbooks);
  const write = ([file, text]: readonly [string, string]) => writeFileSync(join(runbooks, file), text);
  for (const one of own.filter(([file]) => !scenario.unvouched.includes(file))) write(one);
  await pinRunbooks([runbooks]);
  for (const one of own.filter(([file]) => scenario.unvouched.includes(file))) write(one);
  if (scenario.policy) writeFileSync(join(policies, 'policy.yaml'), stringify(scenario.policy));
  else cpSync(join(ROOT, 'policies/default.yaml'), join(policies, 'policy.yaml'));
  writeFileSync(join(worldFolder, 'world.json'), JSON.stringify(scenario.world));
  beginLedger(worldFolder);
  const process = join(directory, 'toolset-process.mjs');
  const serve = pathToFileURL(join(import.meta.dirname, `serve-recorded${extname(import.meta.filename)}`)).href;
  writeFileSync(
    process,
    `import { serveRecorded } from ${JSON.stringify(serve)};\nawait serveRecorded(${JSON.stringify(worldFolder)});\n`,
  );
  return process;
}

/** Gives the configuration of a run. @throws NightshiftError `invalid_config` where the scenario's own parts have mistakes. */
export function configOf(scenario: Scenario, directory: string, { models }: Pick<RunOptions, 'models'>): Config {
  const settings = {
    mode: scenario.mode,
    server: { port: 0 },
    dataDir: 'data',
    runbooks: ['runbooks'],
    policies: ['policies'],
    toolsets: scenario.world.instances,
    people: PEOPLE.map((name) => ({ name })),
    verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 10 },
    // Scored here by rules; a judge would only add to the costs, and now and then.
    judge: { share: 0 },
  };
  const config = parseConfig({
    env: { NIGHTSHIFT_LOG_LEVEL: 'silent' },
    directory,
    toolsetSettings: Object.fromEntries(Object.entries(TOOLSETS).map(([name, toolset]) => [name, toolset.settings])),
    file: { path: join(directory, 'nightshift.yaml'), text: JSON.stringify(settings) },
    readFile: (path) => (path.endsWith('services.yaml') && scenario.services ? stringify(scenario.services) : null),
  });
  if (models === null) return config;
  // By name: whoever gives these may hold the operator's whole configuration, and nothing else of it belongs into a run.
  const { models: asked, routing, spending, investigation } = models;
  return { ...config, models: asked, routing, spending, investigation };
}
