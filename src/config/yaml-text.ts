import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Place, Problem } from '../errors.ts';

/** One YAML file, read; with mistakes in the YAML itself, `raw` is null. */
export interface YamlText {
  readonly raw: unknown;
  readonly problems: readonly Problem[];
  /** Where a field stands, as problems name it (`server.port`, `people.0.name`); of one that is missing, where what should hold it stands. */
  placeOf(field: string): Place;
}

/** Reads YAML with the places of its fields; every mistake in it is given with its place, and an alias is one, because a few of them can stand for gigabytes. */
export function readYamlText({ path, text }: { readonly path: string; readonly text: string }): YamlText {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  const placeAt = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { file: path, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problems: Problem[] = document.errors.map(({ message, pos }) => ({
    at: placeAt(pos[0]),
    field: '(whole)',
    message: `is not YAML: ${message}`,
    fix: 'correct the YAML there',
  }));
  visit(document, {
    Alias: (_, { range, source }) => {
      const message = 'uses a YAML alias (*name)';
      const at = placeAt(range?.[0] ?? 0);
      problems.push({ at, field: '(whole)', value: `*${source}`, message, fix: 'write the value out' });
    },
  });
  return {
    raw: problems.length > 0 ? null : document.toJS({ maxAliasCount: 0 }),
    problems,
    placeOf: (field) => placeAt(offsetOf(document.contents, field) ?? 0),
  };
}

/** The key of a map or the item of a list that a field names. Keys may hold dots themselves, so the longest that leads on is meant. */
function offsetOf(node: unknown, field: string): number | null {
  if (field === '') return null;
  if (isSeq(node)) {
    const [index = '', ...rest] = field.split('.');
    const item = node.items[Number(index)];
    if (!isNode(item)) return null;
    return offsetOf(item, rest.join('.')) ?? item.range?.[0] ?? null;
  }
  if (!isMap(node)) return null;
  const found = node.items
    .flatMap(({ key, value }) => (isScalar(key) ? [{ key, name: String(key.value), value }] : []))
    .filter(({ name }) => field === name || field.startsWith(`${name}.`))
    .sort((a, b) => b.name.length - a.name.length)
    .at(0);
  if (!found) return null;
  return offsetOf(found.value, field.slice(found.name.length + 1)) ?? found.key.range?.[0] ?? null;
}
