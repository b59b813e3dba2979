import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { type Labels, type Matcher, matchesLabels, parseMatcherList } from '../alert/index.ts';
import { problemsOf, readYamlText } from '../config/index.ts';
import { describeProblems, messageOf, NightshiftError, type Place, type Problem } from '../errors.ts';
import { type Prompt, splitFrontMatter } from '../llm/index.ts';
import type { Catalogue, Instance, Tool } from '../mcp-tools/index.ts';

/** Takes over whatever nobody else is sure about. */
export const GENERAL = 'general';
/** What a look is for; each kind is a gatherer of its own. */
export const LOOK_KINDS = ['metrics', 'logs', 'state', 'changes'] as const;

const DIRECTORY = join(import.meta.dirname, '../../specialists');
const NAME = /^[a-z][a-z0-9-]{0,39}$/;
const BODY_MAX = 8_000;
const LOOKS_MAX = 20;

const sign = z
  .string()
  .min(1)
  .superRefine((input, context) => {
    if (!/[=~]/.test(input) && /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(input)) return;
    try {
      parseMatcherList([input]);
    } catch (error) {
      context.addIssue({
        code: 'custom',
        message: `is neither a label's name nor a matcher: ${messageOf(error)}`,
        input,
      });
    }
  })
  .transform((text): Sign => {
    return /[=~]/.test(text) ? { text, matchers: parseMatcherList([text]) } : { text, matchers: null };
  });
const args = z.record(z.string(), z.unknown());
const lookSchema = z
  .strictObject({
    kind: z.enum(LOOK_KINDS),
    tool: z.string().regex(/^[a-z0-9-]+\.[A-Za-z0-9_.-]+$/),
    with: z.union([args, z.array(args).min(1).max(5)]),
  })
  .transform(({ with: given, ...look }) => ({ ...look, with: Array.isArray(given) ? given : [given] }));
/** One look that is made at once: of the argument sets in `with`, the first whose templates the alert's labels can fill. */
export type SpecialistLook = z.infer<typeof lookSchema>;

const headSchema = z.strictObject({
  version: z.int().min(1),
  labels: z.array(sign).max(50),
  hints: z.array(sign).max(50).default([]),
  tools: z.array(z.string().min(1)).min(1).max(50),
  looks: z.array(lookSchema).max(LOOKS_MAX).default([]),
  runbooks: z.array(z.string().min(1)).min(1).default(['**']),
});

/** The name of a label, or a matcher in Alertmanager's syntax, that tells which kind of system an alert is about. */
interface Sign {
  readonly text: string;
  readonly matchers: readonly Matcher[] | null;
}

/** A kind of system as data: what tells it, what is looked at first, what may be looked at, and what an engineer of it knows. */
export interface Specialist {
  readonly name: string;
  readonly version: number;
  /** Each of these tells it; `hints` only suggest it. */
  readonly labels: readonly Sign[];
  readonly hints: readonly Sign[];
  readonly looks: readonly SpecialistLook[];
  /** Globs of the names of tools. */
  readonly tools: readonly string[];
  readonly prompt: Prompt;
  /** Where a field of its front matter stands. */
  placeOf(field: string): Place;
  /** Tells whether it may use a read tool of an instance. */
  mayUse(tool: Pick<Tool, 'name'>, instance: Pick<Instance, 'toolset'>): boolean;
  /** Tells whether a runbook that was found by its words is in its scope. */
  reads(path: string): boolean;
}

export type Specialists = ReadonlyMap<string, Specialist>;

/**
 * Reads the specialists that ship with Nightshift and those of a folder of the operator's, which may replace one of the same name, and
 * must name read tools of the catalogue, where one is given, and their arguments. Meant to be called once, at start.
 * @throws NightshiftError `invalid_config` naming the file and the field of every mistake in the operator's folder; `internal` where the
 *   installation lacks its own.
 */
export function loadSpecialists(folder?: string, catalogue?: Pick<Catalogue, 'tools'>): Specialists {
  const shipped = readFolder(DIRECTORY, 'internal');
  const own = folder === undefined ? [] : readFolder(folder, 'invalid_config');
  const tools = [...(catalogue?.tools.values() ?? [])];
  const problems = catalogue ? own.flatMap((one) => toolProblems(one, tools)) : [];
  if (problems.length > 0) throw new NightshiftError('invalid_config', describeProblems(problems), { problems });
  const all = new Map([...shipped, ...own].map((specialist) => [specialist.name, specialist]));
  if (!all.has(GENERAL))
    throw new NightshiftError('internal', 'specialists/general.md is missing; reinstall Nightshift');
  return all;
}

/** What it names that is not there: it would never look, and nobody would know why. */
function toolProblems({ name, looks, tools, placeOf }: Specialist, known: readonly Tool[]): Problem[] {
  const fix = 'see docs/tools.md, or `nightshift tools list`';
  const placed = (field: string) => ({ at: placeOf(field), field: `specialists/${name}.md ${field}` });
  const reads = known.filter(({ risk }) => risk === 'read');
  const ofTools = tools.flatMap((glob, index): Problem[] =>
    reads.some((tool) => globPattern(glob).test(tool.name))
      ? []
      : [{ ...placed(`tools.${index}`), value: glob, message: 'no tool that only reads has such a name', fix }],
  );
  const ofLooks = looks.flatMap((look, index): Problem[] => {
    const tool = reads.find((one) => one.name === look.tool);
    if (!tool)
      return [
        { ...placed(`looks.${index}.tool`), value: look.tool, message: 'there is no such tool that only reads', fix },
      ];
    const takes = Object.keys(tool.input.shape);
    const wrong = look.with.flatMap((given) => Object.keys(given)).find((one) => !takes.includes(one));
    const message = `is no argument of ${look.tool}, which takes ${takes.join(', ') || 'none'}`;
    return wrong === undefined ? [] : [{ ...placed(`looks.${index}.with`), value: wrong, message, fix }];
  });
  return [...ofTools, ...ofLooks];
}

function readFolder(folder: string, code: 'internal' | 'invalid_config'): Specialist[] {
  let files: string[];
  try {
    files = readdirSync(folder).filter((file) => file.endsWith('.md') && file !== 'README.md');
  } catch (cause) {
    const problem = {
      field: 'investigation.specialists',
      value: folder,
      message: `cannot be read: ${messageOf(cause)}`,
      fix: 'name a folder',
    };
    throw new NightshiftError(code, describeProblems([problem]), { cause, problems: [problem] });
  }
  const read = files.sort().map((file) => {
    try {
      return {
        ok: true as const,
        specialist: parseSpecialist(join(folder, file), readFileSync(join(folder, file), 'utf8')),
      };
    } catch (error) {
      return { ok: false as const, error };
    }
  });
  const wrong = read.flatMap((one) => (one.ok ? [] : [one.error]));
  if (wrong.length > 0) {
    const problems = wrong.flatMap((error) => (error instanceof NightshiftError ? error.problems : []));
    throw new NightshiftError(code, wrong.map(messageOf).join('\n'), { problems });
  }
  return read.flatMap((one) => (one.ok ? [one.specialist] : []));
}

/**
 * Reads one specialist: front matter, and below it what its engineers know, at most 8,000 characters.
 * @throws NightshiftError `invalid_config` naming the file and every field that is missing or wrong.
 */
export function parseSpecialist(path: string, text: string): Specialist {
  const file = basename(path);
  const name = basename(file, '.md');
  // What is between the first two lines of --- begins with the end of the first line, so lines are those of the file.
  const placeOf = (field: string) => readYamlText({ path, text: text.split(/^---\r?$/m)[1] ?? '' }).placeOf(field);
  const fail = (message: string, fix: string, field = 'front matter') => {
    const problem = { field: `specialists/${file} ${field}`, message, fix };
    return new NightshiftError('invalid_config', describeProblems([problem]), { problems: [problem] });
  };
  if (!NAME.test(name)) throw fail('its name is no name of a specialist', 'use small letters, digits and -', 'file');
  const words = splitFrontMatter(text);
  if (words === null)
    throw fail('is missing', 'begin the file with version, labels and tools between two lines of ---');
  const said = words.text;
  if (said === '' || said.length > BODY_MAX)
    throw fail(`has ${said.length} characters`, `write from 1 to ${BODY_MAX} characters`, 'text');
  let raw: unknown;
  try {
    raw = words.readHead();
  } catch (error) {
    throw fail(`is not YAML: ${messageOf(error)}`, 'correct that line');
  }
  const parsed = headSchema.safeParse(raw);
  if (!parsed.success) {
    const problems = problemsOf(parsed.error, raw, { schema: headSchema }).map((problem) => {
      return {
        ...problem,
        at: placeOf(problem.field),
        field: `specialists/${file} ${problem.field}`,
        fix: problem.fix ?? 'write it as docs/diagnosis.md does',
      };
    });
    throw new NightshiftError('invalid_config', describeProblems(problems), { problems });
  }
  const { version, tools, runbooks, ...same } = parsed.data;
  const usable = tools.map(globPattern);
  const readable = runbooks.map(globPattern);
  const sha256 = createHash('sha256').update(said).digest('hex');
  return {
    ...same,
    name,
    version,
    tools,
    placeOf,
    prompt: { name: `specialist-${name}`, version, text: said, sha256 },
    mayUse: (tool, { toolset }) => {
      // What an operator declares for an instance goes by the instance's name, and is of the kind of its toolset all the same.
      const names = [tool.name, `${toolset.name}.${tool.name.slice(tool.name.indexOf('.') + 1)}`];
      return names.some((one) => usable.some((pattern) => pattern.test(one)));
    },
    reads: (path) => readable.some((pattern) => pattern.test(path)),
  };
}

/** Tells whether labels carry a sign. */
export function carries(labels: Labels, { text, matchers }: Sign): boolean {
  if (matchers) return matchesLabels(matchers, labels);
  return Object.hasOwn(labels, text) && labels[text] !== '';
}

/** `*` is anything within a name, `**` anything at all. */
function globPattern(glob: string): RegExp {
  const parts = glob.split(/(\*\*\/?|\*)/).map((part) => {
    if (part.startsWith('**')) return '.*';
    return part === '*' ? '[^/]*' : part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`);
}
