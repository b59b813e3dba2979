import canonicalize from 'canonicalize';
import { plain } from '../incident/index.ts';

const WORDS_MAX = 300;

/** Beside what `plain` takes out: letters that draw nothing (fillers, joiners, variation selectors, the blank Braille cell). */
const DRAWS_NOTHING = /[\p{Default_Ignorable_Code_Point}\u2800]/gu;
const MARKS_PILED_UP = /(\p{M}{2})\p{M}+/gu;
const MENTION = /<[!@#][^>]*>|@(?:here|channel|everyone)\b/gi;
const LINK = /<[a-z][a-z0-9+.-]*:[^>]*>/gi;
const SCHEME = /\b([a-z][a-z0-9+.-]*):(?=\/\/)|\b(mailto|tel):/gi;
const BARE_HOST = /\bwww\./gi;

/**
 * Makes words of others (an alert's, a runbook's, a model's, a tool's, a person's) safe to show in Slack: one line of at most 300
 * characters that neither pings anybody, nor links anywhere, nor hides or reverses anything, nor closes a quotation of ours.
 */
export function words(text: string): string {
  const safe = plain(text.replace(DRAWS_NOTHING, '').replace(MARKS_PILED_UP, '$1'))
    .replace(LINK, '(link removed)')
    .replace(MENTION, '(mention removed)')
    .replace(SCHEME, (_found, scheme?: string, other?: string) => `${scheme ?? other}[:]`)
    .replace(BARE_HOST, 'www[.]')
    .replaceAll('<', '‹')
    .replaceAll('>', '›')
    .replaceAll('`', "'");
  return cut(safe, WORDS_MAX);
}

/** Cuts a text at a number of UTF-16 units, with an ellipsis, and never through a letter. */
export function cut(text: string, max: number): string {
  return (text.length > max ? `${text.slice(0, max - 1)}…` : text).toWellFormed();
}

/** Writes a value as canonical JSON (RFC 8785) in printable ASCII, so that no letter can pass for another; nothing is left out. */
export function exactJson(value: unknown): string {
  return escapeUnprintable(canonicalize(value) ?? 'null');
}

/** Writes a name exactly: as it is where it is plain printable ASCII, as a JSON string where anything in it could mislead. */
export function exact(name: string): string {
  const obvious = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name) && !/ {2}|["\\]/.test(name);
  return obvious ? name : exactJson(name);
}

/** Writes one line of a preview exactly, its indentation kept and everything beyond printable ASCII escaped. */
export function exactLine(line: string): string {
  return escapeUnprintable(line);
}

/** Escapes what Slack would read as markup in a message's `text`, which only notifications show. */
export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function escapeUnprintable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Says whose words follow, from where an action or a diagnosis is from: `runbook:PATH`, `model:NAME` or `person:NAME`. */
export function saidBy(origin: string): string {
  const [kind, ...rest] = origin.split(':');
  const name = words(rest.join(':'));
  return kind === 'runbook' || kind === 'model' ? `the ${kind} ${name} says` : `${name || 'somebody'} says`;
}
