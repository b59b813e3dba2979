import { z } from 'zod';
import type { Labels } from '../alert/index.ts';
import { NightshiftError } from '../errors.ts';

/** What there is to run. */
export interface Runnable {
  readonly toolNames: readonly string[];
  readonly runbookPaths: readonly string[];
}

/** What a person typed after `run`; every value is still the text that was typed. */
export interface RunWish {
  readonly what:
    | { readonly runbook: string }
    | { readonly tool: string; readonly arguments: Readonly<Record<string, string>> };
  readonly labels: Labels;
  /** Empty where none was given. */
  readonly reason: string;
}

const TEXT_MAX = 2_000;
const PAIR = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/;
/** A value that begins with what editors and telephones make of a straight quote, or an option that begins with one of their dashes. */
const PRETTIFIED = /^(?:[A-Za-z_][A-Za-z0-9_]*=[\u2018-\u201f\u00ab\u00bb]|[\u2010-\u2015])/u;

/**
 * Reads `TOOL key=value … [--label name=value …] reason…` or `RUNBOOK.md label=value … reason…`. The first word that is no pair begins
 * the reason. A value with spaces stands in straight double quotes, in which `\"` and `\\` stand for themselves; nothing else is
 * unquoted, corrected or completed.
 * @throws NightshiftError `invalid_payload` naming the word that cannot be read and what to write instead.
 */
export function parseRun(text: string, { toolNames, runbookPaths }: Runnable): RunWish {
  if (text.length > TEXT_MAX)
    throw mistake('run', text.slice(0, 40), `is longer than ${TEXT_MAX} characters`, 'say less');
  const [name, ...rest] = splitWords(text);
  if (name === undefined)
    throw mistake(
      'run',
      '',
      'names nothing to run',
      'write run TOOL key=value … reason, or run RUNBOOK.md label=value …',
    );
  const isRunbook = name.text.endsWith('.md');
  if (!(isRunbook ? runbookPaths : toolNames).includes(name.text)) {
    const known = [...new Set(isRunbook ? runbookPaths : toolNames)].sort().join(', ');
    throw mistake(
      'run',
      name.text,
      `there is no such ${isRunbook ? 'runbook' : 'tool'}`,
      `use one of ${known || '(none)'}`,
    );
  }
  const { pairs, labels, reasonFrom } = readPairs(rest);
  const reason = reasonFrom === null ? '' : text.slice(reasonFrom).trim();
  if (isRunbook) return { what: { runbook: name.text }, labels: mergeLabels(pairs, labels), reason };
  return {
    what: { tool: name.text, arguments: Object.fromEntries(pairs) },
    labels: Object.fromEntries(labels),
    reason,
  };
}

/**
 * Turns typed text into the numbers and booleans that the tool's schema asks for, and leaves everything else as it was typed: what does
 * not fit is left for the schema to refuse. A number that would change by being read (an integer beyond 2^53, `1e3`) stays text.
 */
export function typeArguments(
  input: z.ZodObject,
  args: Readonly<Record<string, string>>,
): Record<string, string | number | boolean> {
  const { properties = {} } = z.toJSONSchema(input, { io: 'input' });
  return Object.fromEntries(
    Object.entries(args).map(([key, text]) => {
      const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
      return [key, typed(text, typeof property === 'object' ? property.type : undefined)];
    }),
  );
}

function typed(text: string, wanted: string | readonly string[] | undefined): string | number | boolean {
  const types = [wanted ?? []].flat();
  const type = types.find((one) => one !== 'null');
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if ((type === 'number' || type === 'integer') && NUMBER.test(text)) {
    const value = Number(text);
    if (text.includes('.') ? Number.isFinite(value) : Number.isSafeInteger(value)) return value;
  }
  return text;
}

interface Word {
  readonly text: string;
  readonly raw: string;
  /** Where it begins, so that the reason can be taken as it was typed. */
  readonly from: number;
}

function splitWords(text: string): Word[] {
  const words: Word[] = [];
  for (const found of text.matchAll(/(?:[^\s"]|"(?:[^"\\]|\\["\\])*")+|"/g)) {
    const raw = found[0];
    const value = raw.replace(/"((?:[^"\\]|\\["\\])*)"/g, (_, quoted: string) => quoted.replace(/\\(["\\])/g, '$1'));
    // A lone quote may still be part of the reason, where it means nothing.
    words.push({ text: raw === '"' ? raw : value, raw, from: found.index });
  }
  return words;
}

type Pairs = readonly (readonly [string, string])[];

function readPairs(words: readonly Word[]): { pairs: Pairs; labels: Pairs; reasonFrom: number | null } {
  const [pairs, labels]: [[string, string][], [string, string][]] = [[], []];
  let at = 0;
  for (; at < words.length; at += 1) {
    const { text: word = '', raw = '' } = words[at] ?? {};
    if (PRETTIFIED.test(raw))
      throw mistake('run', word, 'holds a typographic quote or dash', 'type straight quotes (") and two hyphens (--)');
    if (word === '"')
      throw mistake('run', word, 'opens a quotation that does not end', 'close it, or leave the quote out');
    if (word === '--label') {
      at += 1;
      labels.push(readPair(words[at]?.text ?? '', '--label', LABEL_NAME));
    } else if (word.startsWith('--')) {
      throw mistake('run', word, 'is not an option', 'the only option is --label name=value');
    } else if (PAIR.test(word)) pairs.push(readPair(word, 'argument', LABEL_NAME));
    else break;
  }
  const late = words.slice(at).find(({ text }) => text === '--label');
  if (late) throw mistake('run', '--label', 'stands after the reason', 'write options before the reason');
  refuseTwice(pairs);
  refuseTwice(labels);
  return { pairs, labels, reasonFrom: words[at]?.from ?? null };
}

function readPair(word: string, what: string, names: RegExp): [string, string] {
  const [, key = '', value = ''] = PAIR.exec(word) ?? [];
  if (!names.test(key))
    throw mistake(what, word, 'is not name=value', 'write it as name=value, without spaces around =');
  if (value === '') throw mistake(key, word, 'has no value', 'give one, or leave it out');
  return [key, value];
}

function refuseTwice(pairs: Pairs): void {
  const names = pairs.map(([key]) => key);
  const twice = names.find((key, index) => names.indexOf(key) !== index);
  if (twice !== undefined) throw mistake(twice, twice, 'stands here twice', 'give it once');
}

function mergeLabels(pairs: Pairs, labels: Pairs): Labels {
  const all = [...pairs, ...labels];
  refuseTwice(all);
  return Object.fromEntries(all);
}

function mistake(field: string, value: string, message: string, fix: string): NightshiftError {
  const found = value === '' ? '' : ` (found: ${value})`;
  return new NightshiftError('invalid_payload', `${field}: ${message}${found}. Fix: ${fix}`, {
    problems: [{ field, value, message, fix }],
  });
}
