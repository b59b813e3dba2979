/** What goes to a far shell is read by it as the words that were meant, whatever is in them: proven by a real `sh`. */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteForShell, shellText } from '../../../src/mcp-tools/host/ssh.ts';

/** Runs a text as the far side does, and gives the words that it saw; a word may hold anything but NUL. */
const wordsSeenBy = (words: readonly string[]) => {
  const input = shellText(`printf '%s\\0' "$#" "$@"`, words);
  const { stdout, stderr, status } = spawnSync('sh', ['-s'], { input, encoding: 'utf8', env: { HOME: '/root' } });
  if (status !== 0 || stderr !== '') throw new Error(stderr);
  const [count, ...seen] = stdout.split('\0').slice(0, -1);
  expect(Number(count)).toBe(words.length);
  return seen;
};

const HOSTILE = [
  ...[
    '',
    ' ',
    "'",
    "''",
    `'"'`,
    '"',
    '\\',
    "\\'",
    "'\\''",
    '$(id)',
    '`id`',
    '$HOME',
    '~',
    '*',
    '?',
    '[a]',
    '{a,b}',
    '!x',
  ],
  ...[
    ';id',
    '&',
    '|',
    '>x',
    '<x',
    '#x',
    '(x)',
    '\n',
    'a\nb',
    '\r',
    '\t',
    '-n',
    '--',
    '}',
    "'; exit 1; '",
    'EOF\n',
    '%s',
  ],
];

describe('a word for the far shell', () => {
  it('is that word, however hostile', () => {
    expect(wordsSeenBy(HOSTILE)).toEqual(HOSTILE);
    for (const word of HOSTILE) expect(wordsSeenBy([word])).toEqual([word]);
  });

  it('is that word, whatever it is', () => {
    const character = fc.oneof(
      fc.constantFrom("'", '"', '\\', '$', '`', '\n', ' ', ';', '*', '(', ')', '{', '}', '#', '!', '&', '|'),
      fc
        .integer({ min: 1, max: 0x10_ffff })
        .filter((code) => code < 0xd800 || code > 0xdfff)
        .map((code) => String.fromCodePoint(code)),
    );
    const word = fc.array(character, { maxLength: 30 }).map((all) => all.join(''));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (words) => {
        expect(wordsSeenBy(words)).toEqual(words);
      }),
      { numRuns: 300 },
    );
  });

  it('holds no NUL, which would end it', () => {
    expect(() => quoteForShell('a\0b')).toThrow(/NUL/);
  });
});
