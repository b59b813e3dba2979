import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type jsonata from 'jsonata';
import { z } from 'zod';
import type { Labels } from '../alert/index.ts';
import { isShippedMapping, problemsOf, readYamlText, type Sources } from '../config/index.ts';
import { describeProblems, messageOf, NightshiftError, type Place, type Problem } from '../errors.ts';
import { cutText, flawsByAlert, type ParsedDelivery, readAlerts } from './read-alerts.ts';
import { readJson } from './read-json.ts';

const DIRECTORY = join(import.meta.dirname, '../../mappings');
const LIMITS = { timeout: 250, stack: 200, sequence: 10_000 };
/** Functions by which the sender could choose what is evaluated, or how much memory it takes. */
const FORBIDDEN = ['eval', 'pad'];

const fileSchema = z.strictObject({ alerts: z.string().min(1), test: z.string().min(1).optional() });
// Evaluation turns a list of one into its only element, and no element into nothing.
const resultSchema = z.union([z.array(z.unknown()), z.looseObject({}).transform((one) => [one])]).default([]);

/** Makes the alerts out of a body of any sender. */
export type Mapping = (body: string, source: string) => Promise<ParsedDelivery>;

/** The mapping of every `json` source, by its name. */
export type Mappings = ReadonlyMap<string, Mapping>;

/**
 * Loads the mappings of all `json` sources.
 * @throws NightshiftError `invalid_config`, see `loadMapping`.
 */
export async function loadMappings(sources: Sources): Promise<Mappings> {
  const loaded = Object.entries(sources).flatMap(([name, source]) =>
    source.type === 'json' ? [loadMapping(source.mapping).then((mapping): [string, Mapping] => [name, mapping])] : [],
  );
  return new Map(await Promise.all(loaded));
}

/**
 * Loads a mapping: one that ships, by its name, or the YAML file at a path. Its `alerts` is a JSONata expression that gives a list of
 * {status, labels, annotations, startsAt, endsAt, fingerprint, generatorURL}, of which status and labels are needed.
 * @throws NightshiftError `invalid_config` naming the file and the mistake.
 * @see https://docs.jsonata.org/overview
 */
export async function loadMapping(mapping: string): Promise<Mapping> {
  const { alerts, placeOf } = readMapping(mapping);
  const expression = await compile(alerts, 'alerts', placeOf('alerts'));
  return (body, source) => map(expression, body, source);
}

/** A test alert before it is put into the words of a sender. */
export interface TestAlert {
  readonly labels: Labels;
  readonly fingerprint: string;
  readonly startsAt: Date;
  readonly resolved: boolean;
  readonly summary: string;
}

/**
 * Puts a test alert into the words of the sender that a mapping is for, by its `test`: a JSONata expression over {id, labels, fingerprint,
 * startsAt, resolved, summary}. Gives null where the mapping has none.
 * @throws NightshiftError `invalid_config` naming the file and the mistake.
 */
export async function testBodyOf(mapping: string, alert: TestAlert): Promise<string | null> {
  const { test, placeOf } = readMapping(mapping);
  if (test === undefined) return null;
  const expression = await compile(test, 'test', placeOf('test'));
  const body = await expression
    .evaluate({ id: randomUUID(), ...alert, startsAt: alert.startsAt.toISOString() })
    .catch((cause: unknown) => {
      const fix = 'try it at https://try.jsonata.org';
      throw invalidFile([{ at: placeOf('test'), field: 'test', message: said(cause), fix }]);
    });
  return JSON.stringify(body);
}

function readMapping(mapping: string): z.infer<typeof fileSchema> & { placeOf: (field: string) => Place } {
  const path = isShippedMapping(mapping) ? join(DIRECTORY, `${mapping}.yaml`) : mapping;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const message = `cannot be read: ${messageOf(cause)}`;
    throw invalidFile([{ field: path, message, fix: 'correct the path or the permissions' }]);
  }
  const { raw, problems: broken, placeOf } = readYamlText({ path, text });
  if (broken.length > 0) throw invalidFile(broken);
  const parsed = fileSchema.safeParse(raw);
  if (parsed.success) return { ...parsed.data, placeOf };
  const fix = 'write alerts: a JSONata expression that gives the alerts, and test: one that gives a body, or nothing';
  const problems = problemsOf(parsed.error, raw, { schema: fileSchema });
  throw invalidFile(problems.map((problem) => ({ at: placeOf(problem.field), fix, ...problem })));
}

async function compile(text: string, field: string, at: Place): Promise<jsonata.Expression> {
  // Loaded only where a source needs it, because it takes 300 KB.
  const { default: parse } = await import('jsonata');
  try {
    const expression = parse(text, LIMITS);
    if (hasRegex(expression.ast())) throw new Error('has a regular expression, which no time limit can stop');
    for (const name of FORBIDDEN) expression.assign(name, undefined);
    return expression;
  } catch (cause) {
    const fix = 'try it at https://try.jsonata.org; regular expressions, $eval and $pad are not available here';
    throw invalidFile([{ at, field, message: said(cause), fix }]);
  }
}

function hasRegex(node: unknown): boolean {
  if (node === null || typeof node !== 'object') return false;
  if ((node as { type?: unknown }).type === 'regex') return true;
  return Object.values(node).some(hasRegex);
}

async function map(expression: jsonata.Expression, body: string, source: string): Promise<ParsedDelivery> {
  const { value, flaws } = readJson(body, {
    bigIntegers: 'text',
    fix: 'send the JSON body that the mapping is made for',
  });
  const flaw = flaws.at(0);
  if (flaw) flawsByAlert([{ ...flaw, path: ['body', ...flaw.path] }]);
  const items = resultSchema.safeParse(await evaluate(expression, value));
  if (!items.success) throw unmapped('gives something else than alerts');
  return readAlerts(items.data, { source, form: 'mapped' });
}

async function evaluate(expression: jsonata.Expression, input: unknown): Promise<unknown> {
  try {
    return plainCopy(await expression.evaluate(input));
  } catch (error) {
    throw unmapped(`cannot read this body: ${said(error)}`);
  }
}

/** What an evaluation gives are arrays with members of their own, and functions; only data is taken on. */
function plainCopy(result: unknown): unknown {
  if (Array.isArray(result)) return Array.from(result, plainItem);
  return plainItem(result);
}

function plainItem(item: unknown): unknown {
  const text = JSON.stringify(item);
  return text === undefined ? undefined : JSON.parse(text);
}

/** JSONata throws plain objects. */
function said(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : messageOf(error);
}

function unmapped(what: string): NightshiftError {
  const message = cutText(`the mapping of this source ${what}`, 300);
  const fix = 'send what the mapping is made for, or change the mapping in the configuration of Nightshift';
  return new NightshiftError('invalid_payload', message, { problems: [{ field: 'body', message, fix }] });
}

function invalidFile(problems: readonly Problem[]): NightshiftError {
  return new NightshiftError('invalid_config', describeProblems(problems), { problems });
}
