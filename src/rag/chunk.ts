import { type Block, blockOf, blocksOf, firstHeading, headingText } from './markdown.ts';

/** A passage of a runbook, small enough to quote, with the lines of the file that it stands on. */
export interface Chunk {
  /** Title and headings above the passage: `Checkout is down › What to do`. */
  readonly breadcrumb: string;
  readonly content: string;
  readonly startLine: number;
  readonly endLine: number;
}

/** Lines from and to, both counted from 1 and both included. */
interface Range {
  readonly start: number;
  readonly end: number;
}

interface Section {
  readonly breadcrumb: string;
  readonly heading: Range | null;
  readonly ranges: Range[];
}

// A token is about 3.5 characters of English; 400 tokens are what a passage aims at.
const AIM_CHARACTERS = 1_400;
// Code and tables may be longer, since half of one misleads; beyond 1,000 tokens they are cut all the same.
const WHOLE_CHARACTERS_MAX = 2.5 * AIM_CHARACTERS;
const CONTENT_CHARACTERS_MAX = 4_000;
const DEPTH_MAX = 16;
const SEPARATOR = ' › ';

/**
 * Cuts markdown (lines ending in \n) into passages along its headings: a passage never spans two sections, code blocks and
 * tables stay whole up to 1,000 tokens, and what is longer than 400 tokens is cut between blocks, list items or lines.
 * `firstLine` is the line of the file on which the body starts; `title` stands first in every breadcrumb.
 */
export function chunkMarkdown(body: string, firstLine = 1, title: string | null = firstHeading(body)): Chunk[] {
  const lines = body.split('\n');
  return sectionsOf(lines, body, title).flatMap((section) =>
    pack(section, lines).flatMap((range) =>
      contentsOf(range, lines).map((content) => ({
        breadcrumb: section.breadcrumb,
        content,
        startLine: range.start + firstLine - 1,
        endLine: range.end + firstLine - 1,
      })),
    ),
  );
}

/** Gives the sections that say something; a heading with nothing below it only stands in the breadcrumbs of others. */
function sectionsOf(lines: readonly string[], body: string, title: string | null): Section[] {
  const sections: Section[] = [];
  const trail: { depth: number; text: string }[] = [];
  const open = (heading: Range | null): Section => {
    const texts = trail.map(({ text }) => text).filter((text) => text !== '');
    const crumbs = title === null || texts[0] === title ? texts : [title, ...texts];
    const section = { breadcrumb: crumbs.join(SEPARATOR), heading, ranges: [] };
    sections.push(section);
    return section;
  };
  let current: Section | null = null;
  for (const block of blocksOf(body)) {
    const { node, startLine, endLine } = block;
    if (node.type === 'heading') {
      while ((trail.at(-1)?.depth ?? 0) >= node.depth) trail.pop();
      trail.push({ depth: node.depth, text: headingText(node) });
      current = open({ start: startLine, end: endLine });
    } else if (node.type !== 'thematicBreak') {
      current ??= open(null);
      current.ranges.push(...cutBlock(block, lines));
    }
  }
  const telling = sections.filter(({ ranges }) => ranges.length > 0);
  return telling.length > 0 ? telling : sections.slice(0, 1);
}

/** Leaves a block whole where it may be, else cuts it along its list items or quoted blocks, else at line ends. */
function cutBlock(block: Block, lines: readonly string[], depth = 0): Range[] {
  const { node } = block;
  const range = { start: block.startLine, end: block.endLine };
  const isWhole = node.type === 'code' || isTable(range, lines);
  if (sizeOf(range, lines) <= (isWhole ? WHOLE_CHARACTERS_MAX : AIM_CHARACTERS)) return [range];
  const isNested = node.type === 'list' || node.type === 'listItem' || node.type === 'blockquote';
  if (isNested && node.children.length > 0 && depth < DEPTH_MAX) {
    return node.children.flatMap((child) => cutBlock(blockOf(child, block.offset), lines, depth + 1));
  }
  const cut: Range[] = [];
  let start = range.start;
  let size = 0;
  for (let at = range.start; at <= range.end; at += 1) {
    const own = (lines[at - 1]?.length ?? 0) + 1;
    if (at > start && size + own > AIM_CHARACTERS) {
      cut.push({ start, end: at - 1 });
      start = at;
      size = 0;
    }
    size += own;
  }
  return [...cut, { start, end: range.end }];
}

/** Tells a table by its second line (`|---|:-:|`); plain CommonMark takes tables for paragraphs. */
function isTable(range: Range, lines: readonly string[]): boolean {
  const second = lines[range.start] ?? '';
  return range.end > range.start && second.includes('|') && second.includes('-') && /^[\s:|-]+$/.test(second);
}

/** Fills the passages of a section up to the aim; the heading goes with the first. */
function pack({ heading, ranges }: Section, lines: readonly string[]): Range[] {
  const [first, ...others] = ranges;
  const passages: Range[] = [];
  let current: Range | null = heading && first ? { start: heading.start, end: first.end } : (heading ?? first ?? null);
  for (const range of others) {
    const longer: Range = { start: current?.start ?? range.start, end: range.end };
    if (current && sizeOf(longer, lines) > AIM_CHARACTERS) {
      passages.push(current);
      current = range;
    } else current = longer;
  }
  return current ? [...passages, current] : passages;
}

function sizeOf(range: Range, lines: readonly string[]): number {
  let size = 0;
  for (let at = range.start; at <= range.end; at += 1) size += (lines[at - 1]?.length ?? 0) + 1;
  return size;
}

/** Gives the text of a range, in several parts only where single lines are longer than a whole passage may be. */
function contentsOf(range: Range, lines: readonly string[]): string[] {
  const content = lines.slice(range.start - 1, range.end).join('\n');
  if (content.length <= CONTENT_CHARACTERS_MAX) return [content];
  const parts: string[] = [];
  for (let at = 0; at < content.length; ) {
    const end = at + AIM_CHARACTERS;
    // Not between the two halves of one character.
    const next = /[\uD800-\uDBFF]/.test(content.charAt(end - 1)) ? end + 1 : end;
    parts.push(content.slice(at, next));
    at = next;
  }
  return parts;
}
