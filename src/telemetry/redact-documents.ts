/** Secrets that run over many lines: private keys, whole or cut, and the data of Kubernetes Secrets. */
import type { Span } from './redact-tokens.ts';

type Found = Omit<Span, 'type'>;

/** A key is no longer than this, so that a BEGIN and a far END are two cut keys. */
const KEY_LENGTH_MAX = 20_000;
const KEY_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const KEY_END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const BREAK = '(?:\\s|\\\\+[rn])';
/** Between the lines of a log that is a list in JSON. */
const NEXT_ITEM = '\\\\*",\\s*\\\\*"';
/** What follows a BEGIN without an END: header lines, then base64 in pieces, the last of which may be cut. */
const CUT_BODY = new RegExp(
  `(?:${BREAK}+(?:Proc-Type|DEK-Info|Version|Comment|Hash): ?[^\\r\\n\\\\]{0,200})*(?:(?:${BREAK}+|${NEXT_ITEM})[A-Za-z0-9+/=]{16,})*(?:${BREAK}+[A-Za-z0-9+/=]+(?![A-Za-z0-9+/= ]))?`,
  'y',
);
const KEY_PIECE = /[A-Za-z0-9+/]{40,}={0,2}/g;

/** Finds private keys in PEM, also one whose beginning or end was cut off, in time that grows with the text only. */
export function findPrivateKeys(text: string): Found[] {
  if (!text.includes('PRIVATE KEY')) return [];
  const ends = [...text.matchAll(KEY_END)].map(({ index, 0: { length } }) => ({ start: index, end: index + length }));
  const found: Found[] = [];
  const cut: Found[] = [];
  let next = 0;
  let done = 0;
  for (const { index, 0: header } of text.matchAll(KEY_BEGIN)) {
    if (index < done) continue;
    for (let end = ends[next]; end && end.start < index; end = ends[next]) {
      cut.push({ start: Math.max(done, end.start - KEY_LENGTH_MAX), end: end.end });
      next += 1;
    }
    const end = ends[next];
    if (end && end.start - index <= KEY_LENGTH_MAX) {
      found.push({ start: index, end: end.end });
      done = end.end;
      next += 1;
      continue;
    }
    CUT_BODY.lastIndex = index + header.length;
    done = CUT_BODY.exec(text) ? CUT_BODY.lastIndex : index + header.length;
    found.push({ start: index, end: done });
    // A log may put a time of day before each further line.
    cut.push({ start: done, end: Math.min(text.length, done + KEY_LENGTH_MAX) });
  }
  for (const end of ends.slice(next)) cut.push({ start: Math.max(done, end.start - KEY_LENGTH_MAX), end: end.end });
  for (const zone of joined(cut)) {
    for (const { index, 0: piece } of text.slice(zone.start, zone.end).matchAll(KEY_PIECE))
      found.push({ start: zone.start + index, end: zone.start + index + piece.length });
  }
  return found;
}

function joined(zones: readonly Found[]): Found[] {
  const result: Found[] = [];
  for (const zone of [...zones].sort((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last && zone.start <= last.end)
      result[result.length - 1] = { start: last.start, end: Math.max(last.end, zone.end) };
    else result.push(zone);
  }
  return result;
}

const SECRET_KIND = /kind["']?[ \t]{0,8}:[ \t]{0,8}["']?Secret(?:List)?\b/;
const DATA = /(?<![\w-])(stringData|data)["']?[ \t]{0,8}:/g;
const IN_JSON = /[\s,]*"(?:[^"\\\r\n]|\\.)*"\s*:\s*"((?:[^"\\\r\n]|\\.)*)("?)/y;
const IN_YAML =
  /(?:[ \t]*\r?\n)+([ \t]+)["']?[\w./-]+["']?:[ \t]*((?:[|>][+-]?[ \t]*\r?\n(?:\1[ \t]+[^\r\n]*(?:\r?\n|$))+)|[^\s][^\r\n]*|)/y;
const BASE64 = /^["']?[A-Za-z0-9+/\s]{2,}={0,2}["']?\s*$/;

/** Finds the values of Kubernetes Secrets in JSON and YAML; names of data, and other kinds, are left alone. */
export function findSecretData(text: string): Found[] {
  if (!text.includes('Secret') || !SECRET_KIND.test(text)) return [];
  const found: Found[] = [];
  for (const { index, 0: name, 1: kind } of text.matchAll(DATA)) {
    const open = /^\s{0,80}\{/.exec(text.slice(index + name.length, index + name.length + 90));
    const entry = open ? IN_JSON : IN_YAML;
    entry.lastIndex = index + name.length + (open?.[0].length ?? 0);
    for (let one = entry.exec(text); one; one = entry.exec(text)) {
      const value = (open ? one[1] : one[2]) ?? '';
      // A value that is a map of its own ends what is flat.
      if (!open && value === '') break;
      const end = entry.lastIndex - (open ? (one[2] ?? '').length : 0);
      // Another kind's data in the same text, such as a ConfigMap's, is seldom base64.
      if (value !== '' && (kind === 'stringData' || BASE64.test(value))) found.push({ start: end - value.length, end });
    }
  }
  return found;
}
