import { isAlias, isMap, isNode, isPair, isScalar, LineCounter, type ParsedNode, parseDocument, visit } from 'yaml';
import { messageOf, type Problem } from '../errors.ts';

/** A file taken apart: its front matter, if it has any, and its body with \n line ends. */
export interface Parts {
  readonly frontMatter: string | null;
  readonly body: string;
  /** The line of the file on which the body starts, counted from 1. */
  readonly bodyLine: number;
  readonly problems: readonly Problem[];
}

/** What the YAML of a front matter says, and where in the file it says it. */
export interface ReadYaml {
  readonly value: unknown;
  readonly problems: readonly Problem[];
  lineOf(path: readonly PropertyKey[]): number;
}

const FENCE = '---';
const LENGTH_MAX = 65_536;
const PROBLEMS_MAX = 5;

/** Takes a file's text apart at its front matter: the lines between a first line `---` and the next line `---`. */
export function splitFrontMatter(text: string): Parts {
  // Postgres cannot hold a NUL character.
  const lines = text
    .replace(/^\uFEFF/, '')
    .replaceAll('\0', '\uFFFD')
    .split(/\r\n|\r|\n/);
  const none = { frontMatter: null, body: lines.join('\n'), bodyLine: 1, problems: [] };
  if (lines[0]?.trimEnd() !== FENCE) return none;
  const end = lines.findIndex((line, at) => at > 0 && (line.trimEnd() === FENCE || line.trimEnd() === '...'));
  if (end === -1) {
    const message = 'is opened by the --- on line 1 and never closed';
    return { ...none, problems: [{ field: 'front matter', message, fix: 'put a line of --- below its last field' }] };
  }
  return {
    frontMatter: lines.slice(1, end).join('\n'),
    body: lines.slice(end + 1).join('\n'),
    bodyLine: end + 2,
    problems: [],
  };
}

/** Reads front matter as YAML 1.2 without anchors and tags; never throws, and lists every mistake with its line. */
export function readYaml(frontMatter: string): ReadYaml {
  if (frontMatter.length > LENGTH_MAX) return unreadable(`is longer than ${LENGTH_MAX} characters`);
  try {
    return read(frontMatter);
  } catch (error) {
    // No input is known that does this, but one odd file must not keep all others out of the index.
    return unreadable(`cannot be read: ${messageOf(error)}`);
  }
}

function read(frontMatter: string): ReadYaml {
  const counter = new LineCounter();
  const document = parseDocument(frontMatter, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  // The opening --- is line 1 of the file.
  const lineAt = (offset: number) => counter.linePos(offset).line + 1;
  // One slip can give thousands of errors; the first ones are those to correct.
  const problems: Problem[] = [...document.errors, ...document.warnings]
    .slice(0, PROBLEMS_MAX)
    .map(({ message, pos }) => ({
      field: 'front matter',
      message: `is not plain YAML: ${message} (line ${lineAt(pos[0])})`,
      fix: 'correct that line; put texts that hold {{ }}, a colon or quotes in quotes themselves',
    }));
  visit(document, {
    Alias: (_, alias) => {
      if (problems.length >= PROBLEMS_MAX) return visit.BREAK;
      const message = `refers to another place (line ${lineAt(alias.range?.[0] ?? 0)})`;
      problems.push({ field: 'front matter', value: `*${alias.source}`, message, fix: 'write the value out in full' });
      return undefined;
    },
    Pair: (_, { key }) => {
      if (isScalar(key) || isAlias(key) || !isNode(key)) return undefined;
      const message = `has a template outside quotes (line ${lineAt(key.range?.[0] ?? 0)})`;
      problems.push({ field: 'front matter', message, fix: 'put it in quotes: "{{ labels.instance }}"' });
      return visit.BREAK;
    },
  });
  const value: unknown = problems.length > 0 ? undefined : (document.toJS({ maxAliasCount: 0 }) ?? {});
  return { value, problems, lineOf: (path) => lineAt(offsetOf(document.contents, path)) };
}

function unreadable(message: string): ReadYaml {
  return { value: undefined, problems: [{ field: 'front matter', message, fix: 'make it simpler' }], lineOf: () => 1 };
}

/** Finds where a field stands; of one that is missing, where what should hold it stands. */
function offsetOf(contents: ParsedNode | null, path: readonly PropertyKey[]): number {
  let at: unknown = contents;
  let offset = contents?.range?.[0] ?? 0;
  for (const key of path) {
    if (isAlias(at) || !isNode(at) || !('items' in at)) break;
    if (isMap(at)) {
      const pair = at.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (!isPair(pair)) break;
      offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
      at = pair.value;
    } else {
      at = at.items[Number(key)];
      offset = isNode(at) ? (at.range?.[0] ?? offset) : offset;
    }
  }
  return offset;
}
