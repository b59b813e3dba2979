/** Text that is there for a machine and that people do not see. */
export interface Hidden {
  /** Where it begins, in characters from 0. */
  readonly at: number;
  readonly hidden: string;
  /** What hides it, as the end of a sentence. */
  readonly how: string;
  /** Whether its being there is telling, whatever it says. */
  readonly telling: boolean;
}

const BLOBS_MAX = 200;
const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC]/;
const INVISIBLE =
  /\u034F|[\uFE00-\uFE0F]|[\u00AD\u115F\u1160\u17B4\u17B5\u180E\u200B-\u200F\u202A-\u202E\u2060-\u206F\u3164\uFEFF\uFFA0\u{E0000}-\u{E0FFF}]/gu;
/** Letters of other alphabets and the Latin ones that they look like, in the same order. */
const FOREIGN = 'аеорсухіјѕһԁоαοανρκτειν';
const LATIN = 'aeopcyxijshdoaoavpkteiv';
const ALIKE = new Map([...FOREIGN].map((letter, index) => [letter, LATIN.charAt(index)]));

/**
 * Makes a text as a model would read it, line by line: without invisible characters, marks of emphasis and URL escapes, letters
 * that only look Latin made Latin. Lines stay where they are.
 */
export function legible(text: string): string {
  return text
    .replace(/\r\n?|[\u2028\u2029]/g, '\n')
    .normalize('NFKC')
    .replace(INVISIBLE, '')
    .replace(/[’‘]/g, "'")
    .replace(/[“”]/g, '"')
    .replace(/[*`~]|(?<!\w)_|_(?!\w)|^[ \t]{0,8}>(?:[ \t]{0,3}>){0,8}/gm, ' ')
    .replace(/(?<=[a-z])(?:\+|%20)(?=[a-z])/gi, ' ')
    .replace(/[\p{L}\p{M}]{2,64}/gu, (word) =>
      /[a-z]/i.test(word) && /[\u0370-\u052F]/.test(word)
        ? word.replace(/[\u0370-\u052F]/g, (letter) => ALIKE.get(letter.toLowerCase()) ?? letter)
        : word,
    );
}

/** Gives what of a text people do not see: comments, hidden elements, invisible characters and what is encoded. */
export function* hiddenTexts(text: string): Generator<Hidden> {
  for (const [open, close, how] of [
    ['<!--', '-->', 'a comment'],
    ['[//]: #', '\n', 'a comment'],
    ['[comment]: #', '\n', 'a comment'],
  ] as const) {
    let count = 0;
    for (let at = text.indexOf(open); at !== -1 && count < BLOBS_MAX; count += 1) {
      const end = text.indexOf(close, at + open.length);
      const until = end === -1 ? text.length : end;
      yield { at, hidden: text.slice(at + open.length, until), how, telling: false };
      at = text.indexOf(open, until);
    }
  }
  for (const match of limited(
    text,
    /<[a-z]{1,20}\s[^>\n]{0,200}(?:display\s?:\s?none|visibility\s?:\s?hidden|font-size\s?:\s?0|opacity\s?:\s?0|color\s?:\s?(?:white|#fff)|\shidden)[^>\n]{0,200}>([^<]{1,2000})/giu,
  ))
    yield { at: match.index, hidden: match[1] ?? '', how: 'a hidden element', telling: false };
  yield* invisible(text);
  yield* encoded(text);
}

function* invisible(text: string): Generator<Hidden> {
  // Flags of regions are written with tags behind a black flag.
  for (const match of limited(text, /(?<!\u{1F3F4})[\u{E0001}-\u{E007F}]{2,}/gu)) {
    const before = text.slice(0, match.index);
    if (/\u{1F3F4}[\u{E0001}-\u{E007F}]*$/u.test(before.slice(-40))) continue;
    const hidden = String.fromCodePoint(...[...match[0]].slice(0, 2000).map((one) => (one.codePointAt(0) ?? 0) & 0x7f));
    yield { at: match.index, hidden, how: 'invisible characters', telling: true };
  }
  for (const match of limited(
    text,
    /[\u{E0100}-\u{E01EF}\uFE00-\uFE0F]{4,}|[\u200B-\u200D\u2060\u2061-\u2064\uFEFF]{6,}/gu,
  ))
    yield { at: match.index, hidden: '', how: 'invisible characters', telling: true };
  const isRightToLeft = RIGHT_TO_LEFT.test(text);
  for (const match of limited(text, isRightToLeft ? /[\u202D\u202E]/gu : /[\u202A-\u202E\u2066-\u2069]/gu))
    yield { at: match.index, hidden: '', how: 'characters that turn the direction of writing', telling: true };
}

function* encoded(text: string): Generator<Hidden> {
  for (const match of limited(text, /[A-Za-z0-9+/_-]{24,}={0,2}/gu)) {
    const hidden = readable(Buffer.from(match[0], 'base64'));
    if (hidden !== null) yield { at: match.index, hidden, how: 'an encoded text', telling: false };
  }
  for (const match of limited(text, /(?:[0-9a-f]{2}){16,}|(?:\\x[0-9a-f]{2}){8,}/giu)) {
    const hidden = readable(Buffer.from(match[0].replaceAll(/\\x/gi, ''), 'hex'));
    if (hidden !== null) yield { at: match.index, hidden, how: 'an encoded text', telling: false };
  }
}

function* limited(text: string, pattern: RegExp): Generator<RegExpExecArray> {
  let count = 0;
  for (const match of text.matchAll(pattern)) {
    yield match;
    count += 1;
    if (count === BLOBS_MAX) return;
  }
}

/** Text that somebody could have written, or null. */
function readable(bytes: Buffer): string | null {
  const text = bytes.toString('utf8');
  return text === '' || /\uFFFD|\p{Cc}/u.test(text.replace(/\s/g, '')) ? null : text;
}
