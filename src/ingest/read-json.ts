import { isUtf8 } from 'node:buffer';
import { messageOf, NightshiftError } from '../errors.ts';

const DEPTH_MAX = 32;
/** Names by which JavaScript reaches what every object shares. */
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
/** Further back in a list nothing is read, so that its flaws need not be told apart. */
const APART_MAX = 512;
const FLAWS_MAX = 2048;

/** Something in a body that an honest sender does not send; `path` leads to it. */
export interface Flaw {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface ReadOptions {
  /** What becomes of integers that a double cannot hold: a flaw, or the text of their digits. */
  readonly bigIntegers: 'flaw' | 'text';
  /** What the sender should send instead of what is no JSON. */
  readonly fix: string;
}

export interface ReadBody {
  readonly value: unknown;
  /** One for each element of a list at the top, such as an alert, so that the good ones beside it can be kept; and one for all the rest. */
  readonly flaws: readonly Flaw[];
}

/**
 * Decodes a body as UTF-8, strictly: Postgres, JSON and signatures must all mean the same text.
 * @throws NightshiftError `invalid_payload`.
 */
export function decodeBody(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw unreadable('is not UTF-8', 'send JSON encoded as UTF-8 (RFC 8259, section 8.1)');
  return bytes.toString('utf8');
}

/**
 * Parses a body and finds what two readers could understand differently: objects that give one name twice, names that JavaScript reserves,
 * more than 32 levels, and integers above 2^53. NUL and half surrogate pairs are left to the schema of the field that they stand in.
 * @throws NightshiftError `invalid_payload` when it is no JSON at all.
 * @see https://www.rfc-editor.org/rfc/rfc7493 (I-JSON)
 */
export function readJson(text: string, { bigIntegers, fix }: ReadOptions): ReadBody {
  const value = parse(text, fix);
  const flaws = new Map<string, Flaw>();
  const note = (path: readonly (string | number)[], message: string) => {
    const [list, index] = path;
    const key = typeof index === 'number' ? `${list}\0${Math.min(index, APART_MAX)}` : '';
    if (!flaws.has(key) && flaws.size < FLAWS_MAX) flaws.set(key, { path, message });
  };
  const { names, tooDeep, bigInteger } = walk(value, bigIntegers === 'flaw', note);
  if (names !== countNames(text)) for (const path of repeatedNames(text)) note(path, 'is given twice in one object');
  const readable = bigInteger && bigIntegers === 'text' && !tooDeep ? parse(text, fix, bigIntegerAsText) : value;
  return { value: readable, flaws: [...flaws.values()] };
}

interface Visit {
  readonly value: object;
  readonly depth: number;
  readonly key: string | number;
  readonly parent: Visit | null;
}

function walk(root: unknown, refuseBigIntegers: boolean, note: (path: (string | number)[], message: string) => void) {
  const found = { names: 0, tooDeep: false, bigInteger: false };
  // A stack of our own: a body nested deeply enough would exhaust the one of the process.
  const open: Visit[] = [];
  const look = (value: unknown, key: string | number, parent: Visit | null): void => {
    if (typeof value === 'number') {
      if (!Number.isInteger(value) || Number.isSafeInteger(value)) return;
      found.bigInteger = true;
      if (refuseBigIntegers) note([...pathOf(parent), key], 'is an integer that cannot be read exactly');
    } else if (value !== null && typeof value === 'object') {
      const depth = (parent?.depth ?? 0) + 1;
      if (depth > DEPTH_MAX && !found.tooDeep) found.tooDeep = true;
      if (depth === DEPTH_MAX + 1) note([...pathOf(parent), key], `is nested more than ${DEPTH_MAX} levels deep`);
      open.push({ value, depth, key, parent });
    }
  };
  look(root, '', null);
  for (let visit = open.pop(); visit; visit = open.pop()) {
    if (Array.isArray(visit.value)) {
      for (let index = 0; index < visit.value.length; index += 1) look(visit.value[index], index, visit);
      continue;
    }
    for (const key in visit.value) {
      found.names += 1;
      if (PROTOTYPE_KEYS.has(key)) note([...pathOf(visit), key], 'is a name that cannot be used');
      look((visit.value as Record<string, unknown>)[key], key, visit);
    }
  }
  return found;
}

function pathOf(visit: Visit | null): (string | number)[] {
  const path: (string | number)[] = [];
  for (let at = visit; at?.parent; at = at.parent) path.push(at.key);
  return path.reverse();
}

/** Counts the names in valid JSON text: every colon outside of a string ends one. */
function countNames(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === COLON) count += 1;
    else if (code === QUOTE) at = endOfString(text, at);
  }
  return count;
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** Gives where the string that starts at `start` has its closing quote. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
}

interface OpenContainer {
  readonly names: Set<string> | null;
  key: string | number;
}

/** Finds the names that stand twice in one object of valid JSON text. */
function* repeatedNames(text: string): Generator<(string | number)[]> {
  const open: OpenContainer[] = [];
  let last = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    const container = open.at(-1);
    if (character === '"') {
      const end = endOfString(text, at);
      last = text.slice(at, end + 1);
      at = end;
    } else if (character === ':' && container?.names) {
      const name = JSON.parse(last) as string;
      container.key = name;
      if (container.names.has(name)) yield open.slice(0, DEPTH_MAX).map(({ key }) => key);
      container.names.add(name);
    } else if (character === ',' && typeof container?.key === 'number') container.key += 1;
    else if (character === '{') open.push({ names: new Set(), key: '' });
    else if (character === '[') open.push({ names: null, key: 0 });
    else if (character === '}' || character === ']') open.pop();
  }
}

function parse(text: string, fix: string, reviver?: typeof bigIntegerAsText): unknown {
  try {
    return JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
  } catch (cause) {
    throw unreadable(`is not JSON: ${messageOf(cause)}`, fix, text);
  }
}

/** V8 hands a reviver the text that a number was written as. */
function bigIntegerAsText(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const big = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
  return big ? (context?.source ?? String(value)) : value;
}

function unreadable(message: string, fix: string, text?: string): NightshiftError {
  const value = text === undefined ? {} : { value: printable(text.slice(0, 40)) };
  const problems = [{ field: 'body', message: printable(message), fix, ...value }];
  return new NightshiftError('invalid_payload', `the body ${printable(message)}`, { problems });
}

function printable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}
