import type { RootContent } from 'mdast';
import { toString as textOf } from 'mdast-util-to-string';
import remarkParse from 'remark-parse';
import { unified } from 'unified';

/** A block of markdown with the lines it stands on, counted from 1. */
export interface Block {
  readonly node: RootContent;
  readonly startLine: number;
  readonly endLine: number;
  /** What to add to the line numbers of this block's own children. */
  readonly offset: number;
}

// The parser's time grows with the square of its input, so long files are parsed in pieces and long lines cut short.
const PIECE_AT_HEADING = 2_000;
const PIECE_AT_PARAGRAPH = 8_000;
const PIECE_MAX = 64_000;
const LINE_MAX = 2_000;
const TITLE_LENGTH_MAX = 200;

const parser = unified().use(remarkParse);

/** Yields the top-level blocks of a markdown text whose lines end in \n, in reading order, in time linear in its length. */
export function* blocksOf(body: string): Generator<Block> {
  for (const { lines, offset } of piecesOf(body.split('\n'))) {
    for (const node of parser.parse(lines.map((line) => line.slice(0, LINE_MAX)).join('\n')).children) {
      yield blockOf(node, offset);
    }
  }
}

/** Gives a node the lines of the text that its piece was cut from. */
export function blockOf(node: RootContent, offset: number): Block {
  const startLine = (node.position?.start.line ?? 1) + offset;
  return { node, startLine, endLine: (node.position?.end.line ?? 1) + offset, offset };
}

/** Gives the text of the first level-one heading that has any, or null. */
export function firstHeading(body: string): string | null {
  for (const { node } of blocksOf(body)) {
    const title = node.type === 'heading' && node.depth === 1 ? headingText(node) : '';
    if (title !== '') return title;
  }
  return null;
}

/** Gives the text of a heading on one line of at most 200 characters. */
export function headingText(node: RootContent): string {
  return textOf(node).replace(/\s+/g, ' ').trim().slice(0, TITLE_LENGTH_MAX).toWellFormed();
}

/** Cuts at headings where it can, else between paragraphs, and through a code block only when that alone is huge. */
function* piecesOf(lines: readonly string[]): Generator<{ lines: readonly string[]; offset: number }> {
  let start = 0;
  let size = 0;
  let fence: string | null = null;
  for (const [at, line] of lines.entries()) {
    const afterBlank = at > 0 && lines[at - 1]?.trim() === '';
    const atHeading = fence === null && /^#{1,6}\s/.test(line) && size >= PIECE_AT_HEADING;
    const atParagraph = fence === null && afterBlank && /^\S/.test(line) && size >= PIECE_AT_PARAGRAPH;
    if (at > start && (atHeading || atParagraph || size >= PIECE_MAX)) {
      yield { lines: lines.slice(start, at), offset: start };
      start = at;
      size = 0;
      fence = null;
    }
    size += Math.min(line.length, LINE_MAX) + 1;
    const mark: string | undefined = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark === undefined) continue;
    if (fence === null) fence = mark;
    else if (mark.startsWith(fence)) fence = null;
  }
  yield { lines: lines.slice(start), offset: start };
}
