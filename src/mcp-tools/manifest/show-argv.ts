import { PREVIEW_LINES_MAX } from '../inspection.ts';
import { toolFailed } from '../tool.ts';

const PIECE_CHARACTERS_MAX = 120;
/** What an editor or a terminal shows as nothing, or as something else: controls, formats, and blanks that are no space. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/**
 * Writes an argv for a person who has to answer for it: every word on a line of its own and in quotes, so that one sees where it begins
 * and ends; what cannot be seen is written out. A long word goes on with `+`.
 * @throws NightshiftError `tool_failed` where it is too long to be shown in full: nothing is run that nobody could read.
 */
export function showArgv(argv: readonly string[]): string[] {
  const lines = argv.flatMap((word) =>
    piecesOf(word).map((piece, index) => `${index === 0 ? '' : '+ '}${quoted(piece)}`),
  );
  if (lines.length + 1 > PREVIEW_LINES_MAX)
    throw toolFailed(
      `the program's ${argv.length} arguments are too long to be shown in full to whoever would answer for them`,
    );
  return [`runs, without a shell, these ${argv.length} words:`, ...lines];
}

function piecesOf(word: string): string[] {
  const characters = Array.from(word);
  if (characters.length === 0) return [''];
  const pieces: string[] = [];
  // Counted as written, since one character may take ten to write out.
  let piece = '';
  for (const character of characters) {
    if (quoted(piece + character).length > PIECE_CHARACTERS_MAX) {
      pieces.push(piece);
      piece = '';
    }
    piece += character;
  }
  return [...pieces, piece];
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
