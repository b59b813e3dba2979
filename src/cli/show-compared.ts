import { plain } from '../incident/index.ts';
import type { Compared } from '../mcp-tools/index.ts';

/** Less than what one made plain is cut at. */
const PIECE_CHARACTERS = 200;

/** Shows what an operator reads before vouching for a tool: all of the server's own words, made plain. */
export function showToPin(one: Compared): string[] {
  const { tool, live, problem, risk, pinned } = one;
  if (problem !== null || live === null) return [`${tool} cannot be pinned: ${plain(problem ?? '')}`];
  if (pinned !== null) {
    const lines = showDifferences(one);
    return lines.length === 0 ? [`${tool} (${risk}) is as it was pinned`] : lines;
  }
  return [
    `${tool} (${risk})`,
    ...inFull(live.description, '  '),
    ...inFull(JSON.stringify(live.inputSchema), '  arguments: '),
    ...inFull(JSON.stringify(live.annotations), '  its own hints: '),
  ];
}

/** Shows what a server changed of a tool since it was pinned, each place with what was and what is; nothing where it is the same. */
export function showDifferences({ tool, pinned, live, problem, differences }: Compared): string[] {
  if (pinned === null) return [`${tool} is not pinned`];
  if (live === null) return [`${tool}: ${plain(problem ?? '')}`];
  if (differences.length === 0) return [];
  const shown = (value: unknown) => (value === undefined ? '(nothing)' : JSON.stringify(value));
  return [
    `${tool} changed${problem === null ? '' : `, and cannot be pinned: ${plain(problem)}`}`,
    ...differences.flatMap(({ path, pinned: was, live: is }) => [
      `  ${plain(path)}`,
      ...inFull(shown(was), '    - '),
      ...inFull(shown(is), '    + '),
    ]),
  ];
}

/** Nothing is cut: whoever hides something puts it at the end. */
function inFull(text: string, before: string): string[] {
  const pieces = text.match(new RegExp(`[\\s\\S]{1,${PIECE_CHARACTERS}}`, 'gu')) ?? [''];
  return pieces.map((piece, index) => `${index === 0 ? before : ' '.repeat(before.length)}${plain(piece)}`);
}
