import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, type ModelConfig, modelName } from '../config/index.ts';
import { openEmbedded } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { startQueue } from '../remediation/index.ts';
import { createLogger } from '../telemetry/index.ts';
import { costOf, type ModelCall } from './model-calls.ts';
import type { Observation } from './observe.ts';
import { playRecording } from './play-recording.ts';
import { beginRecordings, type Keep, playedModel, type Recording, readRun } from './recording.ts';
import { type RunOptions, runScenario, type StartNightshift } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';
import { type Score, scoreRun } from './score.ts';
import { RUNBOOK_MODE } from './summarize.ts';

export interface SuiteOptions {
  readonly start: StartNightshift;
  readonly config: Pick<Config, 'models' | 'routing' | 'spending' | 'investigation'>;
  /** Names of models, each of which gets a column beside runbook mode. */
  readonly models: readonly string[];
  readonly repeat: number;
  /** Answers of models that were kept, which get columns of their own. */
  readonly recordings: readonly Recording[];
  /** A folder in which to keep the models' answers; null for not at all. */
  readonly record: string | null;
  /** How many scenarios run at once. */
  readonly abreast: number;
  readonly onScore: (column: string, score: Score) => void;
}

/** One way of working: how often each scenario is run so, and what one run of it showed. */
interface Column {
  readonly name: string;
  readonly repeats: number;
  run(scenario: Scenario, repeat: number): Promise<Observation>;
}

/**
 * Runs every scenario once in runbook mode, which varies by nothing; then with each model alone in every role, `repeat` times; then once
 * for each time that a recorded model worked on it. Gives the scores by column.
 * @throws NightshiftError `invalid_config` where a model is not configured or a recording lacks a scenario; `conflict` where a
 *   recording would stand in the place of another.
 */
export async function runSuite(scenarios: readonly Scenario[], options: SuiteOptions): Promise<Map<string, Score[]>> {
  const recorded = options.recordings.map((recording) => readRuns(recording, scenarios));
  const models = options.models.map((name) => configured(name, options.config));
  const named = [...models.map(modelName), ...options.recordings.map(({ column }) => column)];
  const twice = named.find((name, index) => named.indexOf(name) !== index);
  if (twice) throw mistake('--models, --recorded', twice, 'would have two columns', 'name it once');
  const { record, config, repeat } = options;
  const kept = record === null ? null : beginRecordings(record, models, { ...config, repeat });
  const scores = new Map<string, Score[]>();
  const template = await makeTemplate();
  try {
    const base = { start: options.start, template };
    const columns = [
      inRunbookMode(base),
      ...models.map((model) => withModel(model, base, { ...options, keep: kept?.get(model)?.keep })),
      ...recorded.map((one) => withRecording(one, base)),
    ];
    for (const { name, repeats, run } of columns) {
      const runs = scenarios.flatMap((scenario) =>
        Array.from({ length: repeats }, (_, repeat) => ({ scenario, repeat })),
      );
      const own: Score[] = [];
      scores.set(name, own);
      await abreast(runs, options.abreast, async ({ scenario, repeat }) => {
        const score = scoreRun(scenario, repeat, await run(scenario, repeat));
        own.push(score);
        options.onScore(name, score);
      });
    }
  } finally {
    rmSync(template, { recursive: true, force: true });
  }
  return scores;
}

type Base = Pick<RunOptions, 'start' | 'template'>;

function inRunbookMode(base: Base): Column {
  return {
    name: RUNBOOK_MODE,
    repeats: 1,
    run: (scenario) => runScenario(scenario, { ...base, models: null }),
  };
}

/** Every role to this one model: a fallback to another would be scored as its own. */
function withModel(
  model: ModelConfig,
  base: Base,
  { config, repeat, keep }: Pick<SuiteOptions, 'config' | 'repeat'> & { keep: Keep | undefined },
): Column {
  const models = { ...config, models: [model], routing: {} };
  return {
    name: modelName(model),
    repeats: repeat,
    async run(scenario, index) {
      const seen = await runScenario(scenario, { ...base, models });
      keep?.(scenario.name, index, seen.calls);
      return seen;
    },
  };
}

interface Recorded {
  readonly recording: Recording;
  /** For each scenario, what was asked and answered in each of its runs. */
  readonly runs: ReadonlyMap<string, readonly (readonly ModelCall[])[]>;
}

/** All of it is read before anything runs. */
function readRuns(recording: Recording, scenarios: readonly Scenario[]): Recorded {
  const repeats = Array.from({ length: recording.repeat }, (_, repeat) => repeat);
  const runs = scenarios.map(({ name }) => [name, repeats.map((repeat) => readRun(recording, name, repeat))] as const);
  return { recording, runs: new Map(runs) };
}

/** What it cost is what it did when it was recorded; how long that took is not told again. */
function withRecording({ recording: { column, settings, repeat: repeats }, runs }: Recorded, base: Base): Column {
  return {
    name: column,
    repeats,
    async run(scenario, repeat) {
      const player = await playRecording(runs.get(scenario.name)?.[repeat] ?? []);
      try {
        const model = playedModel(settings.model, player.baseUrl);
        const seen = await runScenario(scenario, { ...base, models: { ...settings, models: [model], routing: {} } });
        const failure = seen.failure ?? ([...player.problems].join('; ') || null);
        return { ...seen, failure, costUsd: costOf(player.played), diagnosedMs: null, endedMs: null };
      } finally {
        await player.stop();
      }
    },
  };
}

function configured(name: string, { models }: SuiteOptions['config']): ModelConfig {
  const model = models.find((one) => modelName(one) === name);
  if (model) return model;
  const known = models.map(modelName).join(', ') || 'none';
  throw mistake(
    '--models',
    name,
    'is not configured',
    `write one of the names under models: in nightshift.yaml (${known})`,
  );
}

function mistake(field: string, value: string, message: string, fix: string): NightshiftError {
  const problems = [{ field, value, message, fix }];
  return new NightshiftError('invalid_config', `${field}: ${value} ${message}. Fix: ${fix}`, { problems });
}

/** So that what stands for a secret is the same in every run, and a recorded answer can name it; worlds hold no real ones. */
const PLACEHOLDER_KEY = Buffer.alloc(32, 'nightshift eval ');

/** Making a database takes seconds, and every run wants its own. */
async function makeTemplate(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-eval-template-'));
  const db = await openEmbedded(folder);
  await (await startQueue(db, createLogger('silent'))).stop();
  await db.q.updateTable('installation').set({ placeholder_key: PLACEHOLDER_KEY }).execute();
  await db.close();
  return folder;
}

async function abreast<T>(items: readonly T[], width: number, run: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: Math.max(1, width) }, worker));
}
