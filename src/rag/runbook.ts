import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { z } from 'zod';
import { type Matcher, parseMatcherList } from '../alert/index.ts';
import { matchSchema, problemsOf } from '../config/index.ts';
import { messageOf, type Problem } from '../errors.ts';
import { parseExpectation } from '../mcp-tools/index.ts';
import { readYaml, splitFrontMatter } from './front-matter.ts';
import { type Flag, findInstructions } from './instructions.ts';
import { firstHeading } from './markdown.ts';

const STEPS_MAX = 8;
const TITLE_LENGTH_MAX = 200;
const WITHIN_SECONDS_MAX = 3600;
const UNIT_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

// Postgres holds neither NUL characters nor lone surrogates.
const text = z
  .string()
  .min(1, 'is empty')
  .max(4000, 'is longer than 4000 characters')
  .refine((value) => value.isWellFormed() && !value.includes('\0'), 'holds characters that no text may hold');
const toolName = text.regex(/^[a-z0-9][a-z0-9-]*\.[A-Za-z0-9_.-]+$/, 'is not the name of a tool');
const number = z
  .number()
  .refine((value) => !Number.isInteger(value) || Number.isSafeInteger(value), 'is too large to be exact');
const TEMPLATE = /\{\{\s*labels\.[a-zA-Z_][a-zA-Z0-9_]*\s*\}\}/g;
const argument = z.union([z.string(), number, z.boolean()], { error: 'must be a text, a number, true or false' });
const argumentsSchema = z.record(
  z.string(),
  argument.superRefine((input, context) => {
    if (typeof input !== 'string' || input === '') return;
    for (const { message } of text.safeParse(input).error?.issues ?? [])
      context.addIssue({ code: 'custom', message, input });
    if (!/\{\{|\}\}/.test(input.replace(TEMPLATE, ''))) return;
    context.addIssue({ code: 'custom', message: 'has a template that is not {{ labels.NAME }}', input });
  }),
);

/** One change to make: a tool, its arguments, and why. */
const stepSchema = z.strictObject({ tool: toolName, with: argumentsSchema, why: text, undo: text.optional() });
export type Step = z.infer<typeof stepSchema>;

const durationSchema = text.transform((value, context) => {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value) ?? [];
  const seconds = Number(amount) * (UNIT_SECONDS[unit] ?? 0);
  if (seconds > 0 && seconds <= WITHIN_SECONDS_MAX) return seconds;
  context.addIssue({ code: 'custom', message: 'is not a duration of more than 0 and at most 1h', input: value });
  return z.NEVER;
});

const expectation = text.superRefine((input, context) => {
  try {
    parseExpectation(input);
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error), input });
  }
});
const checkShape = { tool: toolName, with: argumentsSchema, expect: expectation };
const checkSchema = z
  .strictObject({ ...checkShape, within: durationSchema.default(60) })
  .transform(({ within, ...check }) => ({ ...check, withinSeconds: within }));
/** One look that tells whether the remedy worked; `withinSeconds` is how long it may take until it holds. */
export type Check = z.infer<typeof checkSchema>;

const whenSchema = z.array(z.strictObject(checkShape)).max(STEPS_MAX, `has more than ${STEPS_MAX} conditions`);
/** One look that must show what is expected for a remedy to be meant at all. */
export type Condition = z.infer<typeof whenSchema>[number];

const stepsSchema = z.array(stepSchema).min(1, 'has no step').max(STEPS_MAX, `has more than ${STEPS_MAX} steps`);
const remedySchema = z.strictObject({
  name: text.max(100, 'is longer than 100 characters'),
  when: whenSchema.default([]),
  steps: stepsSchema,
});
/** One way to mend the trouble: steps in order, meant only while what `when` looks at is as expected. */
export type Remedy = z.infer<typeof remedySchema>;

/** What a runbook's front matter may say; an unknown key is a mistake, since it may be a misspelt safety. */
export const frontMatterSchema = z
  .strictObject({
    match: matchSchema
      .superRefine((texts, context) => {
        for (const [index, input] of texts.entries()) {
          if (!input.replace(/[{}\s]/g, ''))
            context.addIssue({ code: 'custom', path: [index], message: 'is empty', input });
        }
      })
      .optional(),
    service: text.optional(),
    when: whenSchema.optional(),
    steps: stepsSchema.optional(),
    remedies: z
      .array(remedySchema)
      .min(1, 'has no remedy')
      .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'has two remedies of the same name')
      .optional(),
    verify: z.array(checkSchema).max(STEPS_MAX, `has more than ${STEPS_MAX} checks`).optional(),
    escalate_to: text.optional(),
  })
  .refine(({ steps, remedies }) => !(steps && remedies), { path: ['steps'], message: 'is set, and `remedies` too' })
  .refine(({ when, steps }) => !when || steps, { path: ['when'], message: 'stands here without `steps`' });

/** How to write each field, for whoever got it wrong. */
const FIXES: Readonly<Record<string, string>> = {
  match: 'write a list of matchers as Alertmanager does, for example [\'alertname="CheckoutDown"\']',
  service: 'write the name of one service',
  steps: `list 1 to ${STEPS_MAX} steps, each with tool, with and why, or use remedies instead of steps`,
  remedies: 'list remedies, each with a name of its own and steps',
  when: `list at most ${STEPS_MAX} conditions, each with tool, with and expect, in the remedy that they are for, or beside steps`,
  name: 'give each remedy a short name of its own',
  tool: 'name the toolset and the verb, for example supervisor.restart',
  with: 'give arguments as name: value; put templates in quotes: "{{ labels.process }}"',
  why: 'say in a sentence why this step helps',
  undo: 'say in a sentence how a person takes it back, or leave it out',
  verify: `list at most ${STEPS_MAX} checks, each with tool, with and expect`,
  expect: 'write what the result must satisfy, for example "status == 200"',
  within: 'write 500ms, 60s, 5m or 1h',
  escalate_to: 'write who is to be called',
};

/** A runbook as read: what a person reads (`title`, `body`) and, when nothing is wrong with it, what may be done. */
export interface Runbook {
  readonly path: string;
  /** The first level-one heading, else the `title` that site generators keep in front matter, else the file's name. */
  readonly title: string;
  readonly match: readonly string[];
  readonly service: string | null;
  /** Alternatives, to be tried in this order. */
  readonly remedies: readonly Remedy[];
  readonly verify: readonly Check[];
  readonly escalateTo: string | null;
  /** The markdown below the front matter. */
  readonly body: string;
  readonly sha256: string;
  readonly problems: readonly Problem[];
  /** Where it talks to a machine; with one such place it never acts unasked. */
  readonly flags: readonly Flag[];
  /** Whether its steps may be proposed at all: it has some, and not one problem. */
  readonly actionable: boolean;
}

/** What a sound front matter declares. */
export type Declaration = Pick<Runbook, 'match' | 'service' | 'remedies' | 'verify' | 'escalateTo'>;

/** A declaration as stored; also what it must be when read back. */
export const declarationSchema = z.object({
  match: matchSchema,
  service: z.string().nullable(),
  remedies: z.array(remedySchema),
  verify: z.array(z.object({ ...checkShape, withinSeconds: z.number() })),
  escalateTo: z.string().nullable(),
}) satisfies z.ZodType<Declaration>;

/** What a runbook without front matter, or with a faulty one, declares. */
export const NO_DECLARATION: Declaration = { match: [], service: null, remedies: [], verify: [], escalateTo: null };

/**
 * Reads a runbook and never throws: whatever is wrong with its front matter is listed with field, value, line and fix,
 * and such a runbook declares nothing, so that it can be read and found but none of its steps acts.
 */
export function parseRunbook(path: string, fileText: string): Runbook {
  const { frontMatter, body, problems } = splitFrontMatter(fileText);
  const declared = frontMatter === null ? { problems: [] } : declare(frontMatter);
  const found = [...textProblems(fileText), ...problems, ...declared.problems];
  return {
    path,
    title: firstHeading(body) ?? titleIn(frontMatter) ?? (basename(path).replace(/\.md$/i, '') || path),
    ...((found.length === 0 && declared.declaration) || NO_DECLARATION),
    body,
    sha256: sha256Of(fileText),
    problems: found,
    flags: findInstructions(fileText),
    actionable: found.length === 0 && (declared.declaration?.remedies.length ?? 0) > 0,
  };
}

/** Reads the line alone, since pages of site generators are often no YAML of ours, and some are none at all. */
function titleIn(frontMatter: string | null): string | null {
  const [, , text = ''] = /^title:[ \t]*(["']?)(.*?)\1[ \t]*$/m.exec(frontMatter ?? '') ?? [];
  return text.replace(/\s+/g, ' ').trim().slice(0, TITLE_LENGTH_MAX).toWellFormed() || null;
}

/** Gives the hexadecimal SHA-256 of a file's text, by which a change is noticed. */
export function sha256Of(fileText: string): string {
  return createHash('sha256').update(fileText).digest('hex');
}

/** Parses a runbook's matchers; an empty list means that it never matches, not that it always does. */
export function matchersOf(runbook: Pick<Runbook, 'match'>): Matcher[] {
  return parseMatcherList(runbook.match);
}

/** Broken bytes in an argument would act on something else than was meant. */
function textProblems(fileText: string): Problem[] {
  const at = fileText.search(/[\0\uFFFD]/);
  if (at === -1) return [];
  const line = fileText.slice(0, at).split(/\r\n|\r|\n/).length;
  return [{ field: 'file', message: `is not UTF-8 text (line ${line})`, fix: 'save it as UTF-8' }];
}

function declare(frontMatter: string): { problems: readonly Problem[]; declaration?: Declaration } {
  const { value: input, problems, lineOf } = readYaml(frontMatter);
  if (problems.length > 0) return { problems };
  const parsed = frontMatterSchema.safeParse(input);
  if (!parsed.success) {
    const found = parsed.error.issues.flatMap((issue) => {
      const keys = issue.code === 'unrecognized_keys' ? issue.keys : [null];
      return problemsOf(new z.ZodError([issue]), input).map((problem, index): Problem => {
        const path = typeof keys[index] === 'string' ? [...issue.path, keys[index]] : issue.path;
        const field = path.findLast((key) => typeof key === 'string' && Object.hasOwn(FIXES, key));
        const fix = problem.fix ?? (typeof field === 'string' ? FIXES[field] : KNOWN_FIELDS);
        return { ...problem, message: `${problem.message} (line ${lineOf(path)})`, ...(fix ? { fix } : {}) };
      });
    });
    return { problems: found };
  }
  const {
    match = [],
    service = null,
    when = [],
    steps,
    remedies,
    verify = [],
    escalate_to: escalateTo = null,
  } = parsed.data;
  const alternatives = remedies ?? (steps ? [{ name: 'steps', when, steps }] : []);
  return { problems, declaration: { match, service, remedies: alternatives, verify, escalateTo } };
}

const KNOWN_FIELDS = 'use the fields match, service, when, steps or remedies, verify and escalate_to';
