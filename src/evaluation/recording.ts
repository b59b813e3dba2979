import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import {
  type Config,
  investigationSchema,
  type ModelConfig,
  modelName,
  modelSchema,
  spendingSchema,
} from '../config/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { type ModelCall, modelCallSchema } from './model-calls.ts';

const MODEL_FILE = 'model.json';

const modelFileSchema = z.strictObject({
  v: z.literal(1),
  at: z.iso.datetime(),
  // Its key and its address are not kept.
  model: modelSchema.omit({ apiKey: true, baseUrl: true, limits: true }),
  spending: spendingSchema,
  investigation: investigationSchema,
  /** How often each scenario was run. */
  repeat: z.int().min(1),
});
const runSchema = z.strictObject({ v: z.literal(1), model: z.string(), calls: z.array(modelCallSchema) });

/** The answers of one model to the questions of a suite. */
export interface Recording {
  /** As the table calls it. */
  readonly column: string;
  readonly folder: string;
  readonly settings: Pick<z.infer<typeof modelFileSchema>, 'model' | 'spending' | 'investigation'>;
  readonly repeat: number;
}

/** Keeps what was asked and answered in one run of a scenario. */
export type Keep = (scenario: string, repeat: number, calls: readonly ModelCall[]) => void;

/**
 * Begins to keep models' answers, each in a folder of its name under `parent`; gives what keeps those of one run of each.
 * @throws NightshiftError `conflict` where there are some already or own specialists would be needed to play them; `invalid_config` where nothing can be written.
 */
export function beginRecordings(
  parent: string,
  models: readonly ModelConfig[],
  { spending, investigation, repeat }: Pick<Config, 'spending' | 'investigation'> & { readonly repeat: number },
): Map<ModelConfig, { readonly folder: string; readonly keep: Keep }> {
  if (investigation.specialists !== undefined)
    throw new NightshiftError(
      'conflict',
      '--record: whoever plays it has no specialists of yours. Fix: leave investigation.specialists out for it',
    );
  const folders = models.map((model) => ({ model, folder: join(parent, folderOf(model)) }));
  const there = folders.filter(({ folder }) => existsSync(folder)).map(({ folder }) => folder);
  if (there.length > 0) {
    const message = `--record: ${there.join(', ')} is there already. Fix: remove it, or name another folder`;
    throw new NightshiftError('conflict', message);
  }
  const at = new Date().toISOString();
  return new Map(
    folders.map(({ model, folder }) => {
      const { apiKey: _key, baseUrl: _url, limits: _limits, ...kept } = model;
      writable(folder, () => mkdirSync(parent, { recursive: true }));
      // Not made twice, should another eval be about to make it.
      writable(folder, () => mkdirSync(folder));
      write(join(folder, MODEL_FILE), { v: 1, at, model: kept, spending, investigation, repeat });
      const name = modelName(model);
      const keep: Keep = (scenario, index, calls) =>
        write(join(folder, `${scenario}.${index}.json`), { v: 1, model: name, calls });
      return [model, { folder, keep }];
    }),
  );
}

/** A name may have slashes. */
function folderOf(model: ModelConfig): string {
  return modelName(model).replaceAll('/', '-');
}

/** Whole or not at all. */
function write(path: string, content: object): void {
  writable(path, () => {
    writeFileSync(`${path}.part`, `${JSON.stringify(content)}\n`);
    renameSync(`${path}.part`, path);
  });
}

function writable(path: string, run: () => void): void {
  try {
    run();
  } catch (cause) {
    throw mistake('--record', path, `cannot be written: ${messageOf(cause)}`, 'name a folder with room for it', cause);
  }
}

/** Gives a recorded model as it is asked where its answers are played. */
export function playedModel(model: Recording['settings']['model'], baseUrl: string): ModelConfig {
  return modelSchema.parse({ ...model, provider: 'openai', api: 'chat', apiKey: 'recorded', baseUrl });
}

/** Reads whose answers a folder holds, and how they were asked for. @throws NightshiftError `invalid_config` naming the file that cannot be read, and why. */
export function readRecording(folder: string): Recording {
  const { at, repeat, ...settings } = read(join(folder, MODEL_FILE), modelFileSchema);
  // A folder of another machine, and a stranger might name any.
  delete settings.investigation.specialists;
  return { column: `${modelName(settings.model)}, recorded ${at.slice(0, 19)}Z`, folder, settings, repeat };
}

/** Reads what was asked and answered in one run of a scenario. @throws NightshiftError as `readRecording` does. */
export function readRun({ folder, settings }: Recording, scenario: string, repeat: number): readonly ModelCall[] {
  const path = join(folder, `${scenario}.${repeat}.json`);
  if (!existsSync(path)) {
    const fix = 'record it again, or name the scenarios that it has with --only';
    throw mistake('--recorded', folder, `has no answers for run ${repeat + 1} of ${scenario}`, fix);
  }
  const { model, calls } = read(path, runSchema);
  const name = modelName(settings.model);
  if (model !== name)
    throw mistake(
      '--recorded',
      path,
      `holds answers of ${model}, not of ${name}`,
      'record each model into its own folder',
    );
  return calls;
}

function read<T>(path: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
    const fix = `name the folder of one model that eval run --record made${besides(path)}`;
    throw mistake('--recorded', path, `is no recording of a model: ${why}`, fix, cause);
  }
}

/** Whoever names the folder of all models wants one of those in it. */
function besides(path: string): string {
  try {
    const folder = dirname(path);
    const inside = readdirSync(folder).filter((name) => existsSync(join(folder, name, MODEL_FILE)));
    return inside.length > 0 ? `, such as ${join(folder, inside[0] ?? '')}` : '';
  } catch {
    return '';
  }
}

function mistake(field: string, value: string, message: string, fix: string, cause?: unknown): NightshiftError {
  const problems = [{ field, value, message, fix }];
  return new NightshiftError('invalid_config', `${field}: ${value} ${message}. Fix: ${fix}`, { cause, problems });
}
