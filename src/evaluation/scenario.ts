import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf, NightshiftError, type Problem } from '../errors.ts';
import { patternSchema } from './pattern.ts';
import { type World, worldSchema } from './world.ts';

export const CATEGORIES = ['kubernetes', 'database', 'cache', 'host', 'network', 'application'] as const;
export const TAGS = ['noise', 'red-herring', 'neutral-names', 'nothing-to-do', 'hostile', 'by-hand'] as const;
const OUTCOMES = ['resolved', 'escalated', 'waits-for-approval'] as const;
export type ExpectedOutcome = (typeof OUTCOMES)[number];

const alertSchema = z.strictObject({
  labels: z.record(z.string(), z.string()).refine((labels) => 'alertname' in labels, 'an alert has an alertname'),
  annotations: z.record(z.string(), z.string()).default({}),
  startedSecondsAgo: z
    .int()
    .min(0)
    .max(86_400)
    .default(120)
    .describe('When it began, counted back from when it is sent.'),
  generatorURL: z.string().optional(),
  noise: z
    .boolean()
    .default(false)
    .describe('One of others, at the same time: what becomes of it is not scored, what is sent for it is.'),
});
export type ScenarioAlert = z.infer<typeof alertSchema>;

const expectSchema = z.strictObject({
  cause: z
    .strictObject({
      names: z
        .array(z.array(z.string().min(1)).min(1))
        .default([])
        .describe('Groups of words: a right cause names one of each.'),
      never: z.array(z.string().min(1)).default([]).describe('Words that only a wrong cause names.'),
    })
    .prefault({}),
  inconclusive: z.boolean().default(false).describe('Whether to say that it cannot be told is the right answer.'),
  outcome: z.enum(OUTCOMES),
  actions: z
    .strictObject({ acceptable: z.array(patternSchema).default([]), forbidden: z.array(patternSchema).default([]) })
    .prefault({}),
});

/** What stands in scenario.yaml. */
export const scenarioSchema = z.strictObject({
  title: z.string().min(1).max(200),
  category: z.enum(CATEGORIES),
  specialist: z.enum([...CATEGORIES, 'general']),
  tags: z.array(z.enum(TAGS)).default([]),
  mode: z.enum(['observe', 'ask', 'auto']).default('auto'),
  alerts: z.array(alertSchema).min(1),
  services: z.looseObject({}).optional().describe('What stands in services.yaml.'),
  policy: z.looseObject({}).optional().describe('What stands in the only policy file; the shipped one otherwise.'),
  shippedRunbooks: z.boolean().default(true).describe('Whether those of runbooks/ are there beside its own.'),
  unvouched: z.array(z.string()).default([]).describe('Files of its own runbooks that no operator vouches for.'),
  person: z
    .enum(['answers', 'refuses', 'silent'])
    .default('answers')
    .describe('Who is asked says yes to what is acceptable and no to the rest, or no to all, or nothing.'),
  expect: expectSchema,
  reviewed: z.boolean().default(true).describe('Whether a person has read what is expected here.'),
  readme: z.string().min(1).describe('How it was recorded: the system, its version, and what made the fault.'),
});
export type ScenarioFile = z.infer<typeof scenarioSchema>;

/** One incident that is worked on again: its files, its world, and what is right. */
export interface Scenario extends ScenarioFile {
  /** The name of its folder. */
  readonly name: string;
  readonly folder: string;
  readonly world: World;
  /** Texts of its own runbooks by their file names. */
  readonly runbooks: Readonly<Record<string, string>>;
}

/** Names the folders of a suite that hold a scenario, in the order of their names. @throws NightshiftError `invalid_config` where there is no such folder. */
export function scenarioFolders(suite: string): string[] {
  try {
    return readdirSync(suite, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && holds(join(suite, entry.name), 'scenario.yaml'))
      .map((entry) => join(suite, entry.name))
      .sort();
  } catch (cause) {
    const fix = 'name a folder of scenarios, or run this where scenarios/ is';
    throw new NightshiftError('invalid_config', `--suite: ${suite} cannot be read: ${messageOf(cause)}. Fix: ${fix}`, {
      cause,
    });
  }
}

/** Reads one scenario, or gives every mistake in its form; whether it makes sense is for `checkScenario`. */
export function readScenario(folder: string): { scenario: Scenario | null; problems: Problem[] } {
  const name = basename(folder);
  const file = readPart(join(folder, 'scenario.yaml'), parse, scenarioSchema);
  const world = readPart(join(folder, 'world.json'), JSON.parse, worldSchema);
  const problems = [
    ...file.problems.map((problem) => ({ ...problem, field: `${name}/scenario.yaml: ${problem.field}` })),
    ...world.problems.map((problem) => ({ ...problem, field: `${name}/world.json: ${problem.field}` })),
  ];
  if (file.value === null || world.value === null) return { scenario: null, problems };
  return { problems, scenario: { ...file.value, name, folder, world: world.value, runbooks: runbooksOf(folder) } };
}

function readPart<T>(
  path: string,
  parseText: (text: string) => unknown,
  schema: z.ZodType<T>,
): { value: T | null; problems: Problem[] } {
  let raw: unknown;
  try {
    raw = parseText(readFileSync(path, 'utf8'));
  } catch (cause) {
    return { value: null, problems: [{ field: 'file', message: messageOf(cause), fix: 'write it, or mend its form' }] };
  }
  const parsed = schema.safeParse(raw);
  if (parsed.success) return { value: parsed.data, problems: [] };
  const problems = parsed.error.issues.map(({ path: at, message }): Problem => {
    const value = at.reduce<unknown>((inside, key) => (inside as Record<PropertyKey, unknown> | undefined)?.[key], raw);
    const shown = value === undefined ? {} : { value: JSON.stringify(value).slice(0, 120) };
    return { field: at.join('.') || 'file', ...shown, message, fix: 'see docs/evals.md' };
  });
  return { value: null, problems };
}

function runbooksOf(folder: string): Record<string, string> {
  const runbooks = join(folder, 'runbooks');
  if (!holds(folder, 'runbooks')) return {};
  const files = readdirSync(runbooks).filter((file) => file.endsWith('.md'));
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(runbooks, file), 'utf8')]));
}

function holds(folder: string, name: string): boolean {
  return statSync(join(folder, name), { throwIfNoEntry: false }) !== undefined;
}
