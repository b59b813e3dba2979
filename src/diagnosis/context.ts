import type { Alert } from '../alert/index.ts';
import { describeAlert, fence, fenceAlerts, fenceEvidence } from './describe.ts';
import type { Evidence } from './store.ts';

/** Dense text, such as JSON and ids, has about this many bytes for a token; prose has more. */
const BYTES_PER_TOKEN = 2.5;
/** The share of the room that alerts may take where not everything fits. */
const ALERTS_SHARE = 0.3;
const ITEM_BYTES_MIN = 400;
const SHRINK = 0.85;
const ROUNDS_MAX = 40;
const HEAD_SHARE = 0.7;
/** Whatever leaves the process is cut at 262,144 characters, and what is cut there would be missed by nobody. */
const BYTES_MAX = 240_000;

/** What a question holds besides the evidence, and how much the model can read. */
export interface Room {
  /** What the smallest model that may answer reads at once, in tokens. */
  readonly contextTokens: number;
  /** What the prompt, the functions, the answer and what is said later in the conversation take of it, in tokens. */
  readonly reservedTokens: number;
}

/** The alerts and the evidence as a question that fits, and the ids of what did not. */
export interface FittedCase {
  readonly text: string;
  readonly leftOut: readonly string[];
  readonly cut: readonly string[];
}

/** Estimates how many tokens a text takes, rather too many than too few; works on UTF-8 bytes, since other scripts take more. */
export function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}

/**
 * Writes alerts and evidence for a model as `describeCase` does, within the room there is: what is worth least is left out first, what is
 * long is cut in its middle, and the text names both. `more` is put behind it, whole.
 */
export function fitCase(
  alerts: readonly Alert[],
  evidence: readonly Evidence[],
  { contextTokens, reservedTokens }: Room,
  more = '',
): FittedCase {
  const limit = Math.max(0, contextTokens - reservedTokens);
  let bytes = Math.min(BYTES_MAX, limit * BYTES_PER_TOKEN) - Buffer.byteLength(more);
  let fitted = write(alerts, evidence, bytes, more);
  // Fences, titles and escapes take room of their own.
  for (let round = 0; round < ROUNDS_MAX && isTooLong(fitted.text, limit); round += 1) {
    bytes *= SHRINK;
    fitted = write(alerts, evidence, bytes, more);
  }
  return fitted;
}

function isTooLong(text: string, tokens: number): boolean {
  return tokensOf(text) > tokens || Buffer.byteLength(text) > BYTES_MAX;
}

function write(alerts: readonly Alert[], evidence: readonly Evidence[], bytes: number, more: string): FittedCase {
  const lines = alerts.map(describeAlert);
  const needed = evidence.reduce((sum, one) => sum + Buffer.byteLength(fenceEvidence(one)), 0);
  const alertBytes = Math.max(bytes * ALERTS_SHARE, bytes - needed);
  const shownAlerts = fitLines(lines, alertBytes);
  const { whole, cut, leftOut } = share(evidence, bytes - Buffer.byteLength(shownAlerts));
  const note = [
    ...(leftOut.length > 0 ? [`Left out for want of room: ${leftOut.join(', ')}.`] : []),
    ...(cut.length > 0 ? [`Shown in part: ${cut.join(', ')}.`] : []),
  ].join(' ');
  const parts = [fenceAlerts(alerts, shownAlerts), ...whole.map(fenceEvidence), note, more];
  return { text: parts.filter((part) => part !== '').join('\n\n'), leftOut, cut };
}

function fitLines(lines: readonly string[], bytes: number): string {
  const shown: string[] = [];
  let left = bytes;
  for (const line of lines) {
    const size = Buffer.byteLength(line) + 1;
    if (size > left && shown.length > 0) break;
    shown.push(size > left ? cutMiddle(line, Math.max(100, left)) : line);
    left -= size;
  }
  const others = lines.length - shown.length;
  return [
    ...shown,
    ...(others > 0 ? [`${others} more alert(s) of this incident are left out for want of room.`] : []),
  ].join('\n');
}

/** Gives the evidence in its own order, each item as long as there is room for it. */
function share(evidence: readonly Evidence[], bytes: number): { whole: Evidence[]; cut: string[]; leftOut: string[] } {
  const sizes = new Map(evidence.map((one) => [one.ref, Buffer.byteLength(fenceEvidence(one))]));
  const sizeOf = ({ ref }: Evidence) => sizes.get(ref) ?? 0;
  const kept = evidence.toSorted((a, b) => worth(b) - worth(a));
  while (kept.length > 0 && kept.reduce((sum, one) => sum + Math.min(sizeOf(one), ITEM_BYTES_MIN), 0) > bytes)
    kept.pop();
  // The small ones first, so that what they do not need is there for the large ones.
  const rooms = new Map<string, number>();
  let left = bytes;
  for (const [index, one] of kept.toSorted((a, b) => sizeOf(a) - sizeOf(b)).entries()) {
    const room = Math.min(sizeOf(one), left / (kept.length - index));
    rooms.set(one.ref, room);
    left -= room;
  }
  const cut: string[] = [];
  const whole = evidence.flatMap((one): Evidence[] => {
    const room = rooms.get(one.ref);
    if (room === undefined) return [];
    const size = sizeOf(one);
    if (room >= size) return [one];
    cut.push(one.ref);
    const around = size - Buffer.byteLength(one.content);
    return [{ ...one, content: cutMiddle(one.content, Math.max(40, room - around)) }];
  });
  return { whole, cut, leftOut: evidence.filter(({ ref }) => !rooms.has(ref)).map(({ ref }) => ref) };
}

/** What is seen now says more than what is written about it; what talks to a machine says least. */
function worth({ kind, origin, ref }: Evidence): number {
  const flagged = Array.isArray(origin.flags) && origin.flags.length > 0 ? -2 : 0;
  // Of two that are alike, the one that was asked for later was asked for with more in mind.
  const later = Number(ref.slice(1)) / 1e6;
  if (kind === 'tool') return (origin.outcome === 'succeeded' ? 5 : 2) + flagged + later;
  if (kind === 'past_incident') return 2 + flagged - later;
  return ((origin.why as { matched?: boolean } | undefined)?.matched === true ? 4 : 3) + flagged - later;
}

/** Cuts a text to about so many UTF-8 bytes, its beginning and its end kept, and says in between how much is missing. */
export function cutMiddle(text: string, bytes: number): string {
  const size = Buffer.byteLength(text);
  if (size <= bytes) return text;
  const gap = (missing: number) => `\n[… ${missing} characters left out …]\n`;
  const room = Math.max(0, bytes - gap(text.length).length - 8);
  const characters = Math.floor((text.length * room) / size);
  const head = text.slice(0, Math.floor(characters * HEAD_SHARE));
  const tail = characters - head.length > 0 ? text.slice(-(characters - head.length)) : '';
  return `${head}${gap(text.length - head.length - tail.length)}${tail}`.toWellFormed();
}

/** Puts what an investigation noted into a question, as what it is. */
export function fenceNotes(notes: readonly { text: string; citations: readonly { evidence: string }[] }[]): string {
  if (notes.length === 0) return '';
  const lines = notes.map(
    ({ text, citations }) => `- ${text} (${citations.map(({ evidence }) => evidence).join(', ')})`,
  );
  return fence('notes', lines.join('\n'));
}
