/** Reads through encodings: where a secret is written with escapes or in base64, it is found all the same. */

/** A text as it reads once its escapes are resolved, with where each character stood before. */
export interface View {
  readonly text: string;
  /** False for the text itself. */
  readonly isResolved: boolean;
  /** Gives the place in the original text of a character of this one, or of its end. */
  readonly origin: (at: number) => number;
}

const ESCAPE = /%[0-9A-Fa-f]{2}|\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[nrtbf"'\\/])/g;
const CONTROL: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };
/** JSON within JSON within a URL is about as deep as it gets. */
const VIEWS_MAX = 4;

/** Gives the text itself, then what it reads as when escapes of URLs and of JSON are resolved once, twice, …, while there are any. */
export function* viewsOf(text: string): Generator<View> {
  let view: View = { text, isResolved: false, origin: (at) => at };
  for (let depth = 0; depth < VIEWS_MAX; depth += 1) {
    yield view;
    const resolved = resolve(view);
    if (!resolved) return;
    view = resolved;
  }
}

function resolve({ text, origin }: View): View | null {
  if (!text.includes('%') && !text.includes('\\')) return null;
  const pieces: string[] = [];
  const places = new Uint32Array(text.length + 1);
  let length = 0;
  let from = 0;
  const copy = (to: number) => {
    if (to > from) pieces.push(text.slice(from, to));
    for (; from < to; from += 1) places[length++] = from;
  };
  for (const { index, 0: sequence } of text.matchAll(ESCAPE)) {
    copy(index);
    pieces.push(characterOf(sequence));
    places[length++] = index;
    from = index + sequence.length;
  }
  if (length === from) return null;
  copy(text.length);
  places[length] = text.length;
  return { text: pieces.join(''), isResolved: true, origin: (at) => origin(places[at] ?? 0) };
}

/** A byte of a URL becomes the character of that number: whoever looks for other letters than ASCII looks for their bytes. */
function characterOf(sequence: string): string {
  if (sequence[0] === '%') return String.fromCharCode(Number.parseInt(sequence.slice(1), 16));
  const kind = sequence[1] ?? '';
  if (sequence.length > 2) return String.fromCharCode(Number.parseInt(sequence.slice(2), 16));
  return CONTROL[kind] ?? kind;
}

const RUN =
  /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{11,}={0,2}(?:\r?\n[ \t]{0,40}[A-Za-z0-9+/_-]{11,}={0,2})*(?:\r?\n[ \t]{0,40}[A-Za-z0-9+/_-]{1,10}={0,2}(?![^\s"'}\]]))?/g;
/** Text of any language has at least this much in ASCII, and random bytes almost never. */
const READABLE = /[\t\n\r -~]{6}/;

/** A stretch of text that could be base64, and what its bytes are from each of the four places where a group may begin. */
export interface Decoded {
  readonly start: number;
  readonly end: number;
  readonly texts: readonly string[];
}

/**
 * Finds what could be base64 (RFC 4648, either alphabet, padded or not, in one line or in several) and decodes to something readable.
 * Text in base64 has capitals; words, hashes and paths mostly have none.
 */
export function decodedRuns(text: string): Decoded[] {
  const found: Decoded[] = [];
  const decode = (run: string, start: number, end: number) => {
    if (!/[A-Z]/.test(run)) return;
    const all = [0, 1, 2, 3].map((skip) => Buffer.from(run.slice(skip), 'base64').toString('latin1'));
    const texts = all.filter((one) => READABLE.test(one));
    if (texts.length > 0) found.push({ start, end, texts });
  };
  for (const { index, 0: whole } of text.matchAll(RUN)) {
    decode(whole.replace(/\s+/g, ''), index, index + whole.length);
    // Lines that do not end between groups were perhaps never one run.
    const lines = whole.includes('\n') ? [...whole.matchAll(/\S+/g)] : [];
    if (lines.some(({ 0: line }) => line.length % 4 !== 0))
      for (const { index: at, 0: line } of lines) decode(line, index + at, index + at + line.length);
  }
  return found;
}

/** Gives the characters that a secret always has in base64, whatever stands before it, in either alphabet. */
export function inBase64(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes]);
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor((whole.length * 8) / 6);
    return [whole.toString('base64').slice(from, to), whole.toString('base64url').slice(from, to)];
  });
}
