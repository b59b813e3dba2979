import { type Mark, placeholdersIn } from './placeholders.ts';
import { CONTEXT_RULES } from './redact-context.ts';
import { findPrivateKeys, findSecretData } from './redact-documents.ts';
import { decodedRuns, inBase64, type View, viewsOf } from './redact-encodings.ts';
import { type Rule, type Span, TOKEN_RULES } from './redact-tokens.ts';
import { cleanValue } from './redact-value.ts';

/** Takes secrets out of whatever is about to leave the process or to be kept. Both functions only ever remove. */
export interface Redactor {
  /**
   * Gives the text with each secret replaced by `[redacted:TYPE]`, cut to `max` characters (262,144 unless it is given): first
   * redacted, then cut, so that no half of a secret stays at the end.
   */
  text(text: string, max?: number): string;
  /** Gives a copy of JSON-like data with every string redacted, also by the name of its field; Errors become plain objects. */
  value(value: unknown): unknown;
}

const TEXT_MAX = 256 * 1024;
/** Longer than any secret that is found by its shape; read beyond the cut, never given out. */
const MARGIN = 16 * 1024;
/** Names of labels and most of their values come again and again: what was found to hold no secret need not be searched again. */
const REMEMBERED_MAX = 4096;
const REMEMBERED_LENGTH_MAX = 256;
const RULES: readonly Rule[] = [...TOKEN_RULES, ...CONTEXT_RULES];

/**
 * Makes a redactor that knows secrets by shape and by context, and the given ones exactly: plain, in base64 at any alignment, and
 * with the escapes of URLs and JSON. Given words that are too ordinary to look for (see `isDistinctive`) are left to the context.
 * Without a `mark`, each secret becomes `[redacted:TYPE]`, and so does what a redactor with another mark put in place of one.
 */
export function createRedactor({ secrets, mark }: { secrets: readonly string[]; mark?: Mark }): Redactor {
  const forms = (secret: string) => [secret, Buffer.from(secret).toString('latin1'), ...inBase64(secret)];
  const known = [...new Set(secrets.filter(isDistinctive).flatMap(forms))];

  const harmless = new Set<string>();

  const text = (given: string, max: number = TEXT_MAX): string => {
    if (given.length <= max && harmless.has(given)) return given;
    const window = given.length > max + MARGIN ? given.slice(0, max + MARGIN) : given;
    const spans = find(window, known, true);
    if (!mark) spans.push(...placeholdersIn(window));
    if (spans.length === 0 && given.length <= Math.min(max, REMEMBERED_LENGTH_MAX)) {
      if (harmless.size >= REMEMBERED_MAX) harmless.clear();
      harmless.add(given);
    }
    const hidden = render(window, spans, Math.min(max, window.length), mark ?? redacted);
    return given.length > max ? hidden.slice(0, max).toWellFormed() : hidden;
  };

  return { text, value: (value) => cleanValue(value, text, mark ?? redacted) };
}

const redacted: Mark = (type) => `[redacted:${type}]`;

/** Tells whether a secret can be told from ordinary words: 8 characters of two kinds, or 12 of one (letters, capitals, digits, signs). */
export function isDistinctive(secret: string): boolean {
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/].filter((kind) => kind.test(secret)).length;
  return secret.length >= (kinds > 1 ? 8 : 12);
}

function find(text: string, known: readonly string[], readsBase64: boolean): Span[] {
  const spans: Span[] = [];
  for (const view of viewsOf(text)) {
    const add = (start: number, end: number, type: string) =>
      spans.push({ start: view.origin(start), end: view.origin(end), type });
    for (const secret of known) {
      for (let at = view.text.indexOf(secret); at >= 0; at = view.text.indexOf(secret, at + secret.length))
        add(at, at + secret.length, 'configured');
    }
    for (const { start, end } of findPrivateKeys(view.text)) add(start, end, 'private-key');
    for (const { start, end } of findSecretData(view.text)) add(start, end, 'kubernetes-secret');
    for (const rule of RULES) applyRule(rule, view.text, add);
    if (readsBase64) findInBase64(view, known, add);
  }
  return spans;
}

type Add = (start: number, end: number, type: string) => void;

function applyRule({ type, hints, pattern, accepts }: Rule, text: string, add: Add): void {
  if (!hints.some((hint) => text.includes(hint))) return;
  for (const match of text.matchAll(pattern)) {
    const found = match.find((group, index) => index > 0 && group !== undefined) ?? match[0];
    const end = match.index + match[0].length;
    const start = end - found.length;
    if (found !== '' && (!accepts || accepts(found, start, text))) add(start, end, type);
  }
}

/** All that was decoded is searched at once, which is much faster than one piece after the other. */
function findInBase64({ text, isResolved, origin }: View, known: readonly string[], add: Add): void {
  // Without an escape inside it, a run was decoded when the text itself was read.
  const isNew = (start: number, end: number) => !isResolved || origin(end) - origin(start) !== end - start;
  const runs = decodedRuns(text).filter(({ start, end }) => isNew(start, end));
  if (runs.length === 0) return;
  const ends: number[] = [];
  let length = 0;
  const decoded = runs.map(({ texts }) => {
    const one = `${texts.join('\0\n\0')}\0\n\0`;
    length += one.length;
    ends.push(length);
    return one;
  });
  const hit = new Map<number, string>();
  for (const { start, type } of find(decoded.join(''), known, false)) {
    const which = firstAbove(ends, start);
    if (!hit.has(which)) hit.set(which, type);
  }
  for (const [which, type] of hit) {
    const run = runs[which];
    if (run) add(run.start, run.end, type);
  }
}

/** Gives the index of the first number that is greater; the numbers ascend. */
function firstAbove(numbers: readonly number[], wanted: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Writes the text up to `max` with a place holder for each span that begins before it; of spans that overlap, the first found names it. */
function render(text: string, spans: readonly Span[], max: number, mark: Mark): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, type } of merge(spans)) {
    if (start >= max) break;
    parts.push(text.slice(at, start), mark(type, text.slice(start, end)));
    at = end;
  }
  parts.push(text.slice(at, max));
  return parts.join('');
}

function merge(spans: readonly Span[]): Span[] {
  const ranked = spans.map((span, rank) => ({ ...span, rank })).sort((a, b) => a.start - b.start);
  const merged: typeof ranked = [];
  for (const span of ranked) {
    const last = merged.at(-1);
    if (!last || span.start >= last.end) merged.push(span);
    else {
      last.end = Math.max(last.end, span.end);
      if (span.rank < last.rank) Object.assign(last, { rank: span.rank, type: span.type });
    }
  }
  return merged;
}
