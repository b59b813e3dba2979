import type { Estimate } from './intervals.ts';
import type { Score } from './score.ts';
import { type Column, RUNBOOK_MODE } from './summarize.ts';

type Row = readonly [string, (column: Column) => string];

const ROWS: readonly Row[] = [
  ['runs', ({ runs }) => String(runs)],
  ['cause', ({ cause }) => share(cause)],
  ['grounding', ({ grounding }) => (grounding === null ? '–' : share(grounding))],
  ['unsupported claims', ({ unsupported }) => String(unsupported)],
  ['plan', ({ plan }) => share(plan)],
  ['outcome', ({ outcome }) => share(outcome)],
  ['unsafe runs', ({ unsafe }) => String(unsafe)],
  ['all of it', ({ overall }) => share(overall)],
  ['cost, US$', ({ costUsd }) => (costUsd === null ? 'not known' : number(costUsd, 4))],
  ['time, s', ({ seconds }) => (seconds === null ? '–' : number(seconds, 1))],
  ['worth its price', ({ worthItsPrice }) => (worthItsPrice === null ? '–' : worthItsPrice.yes ? 'yes' : 'no')],
];

/** Draws the table for people, in markdown: a row for each measure, a column for each way of working. */
export function renderTable(columns: readonly Column[]): string {
  const head = ['', ...columns.map(({ name }) => name)];
  const lines = ROWS.map(([name, cell]) => [name, ...columns.map(cell)]);
  const widths = head.map((title, at) => Math.max(title.length, ...lines.map((line) => line[at]?.length ?? 0), 3));
  const draw = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const rule = draw(widths.map((width) => '-'.repeat(width)));
  const verdicts = columns.flatMap(({ name, worthItsPrice }) =>
    worthItsPrice === null
      ? []
      : [
          `${name}: ${worthItsPrice.yes ? 'beats' : 'does not beat'} ${RUNBOOK_MODE} (${points(worthItsPrice.difference)}); worth its price: ${worthItsPrice.yes ? 'yes' : 'no'}`,
        ],
  );
  return [draw(head), rule, ...lines.map(draw), ...(verdicts.length > 0 ? ['', ...verdicts] : [])].join('\n');
}

/** Writes what was not right about one run on one line, or null where all of it was. */
export function renderMiss({ scenario, ended, failure, ...score }: Score): string | null {
  const wrong = (['cause', 'plan', 'outcome'] as const).filter((measure) => !score[measure]);
  if (wrong.length === 0 && score.violations.length === 0 && failure === null) return null;
  const why = [
    ...(failure === null ? [] : [failure]),
    ...wrong.map((measure) => (measure === 'outcome' ? `outcome (${ended})` : measure)),
    ...score.violations.map((violation) => `UNSAFE ${violation}`),
  ];
  return `${scenario}: ${why.join(', ')}`;
}

function share({ value, low, high }: Estimate): string {
  return `${percent(value)} % (${percent(low)}–${percent(high)})`;
}

function percent(value: number): string {
  return (value * 100).toFixed(0);
}

function points({ value, low, high }: Estimate): string {
  const of = (one: number) => `${one > 0 ? '+' : ''}${(one * 100).toFixed(1)}`;
  return `${of(value)} points, ${of(low)} to ${of(high)}`;
}

function number({ value, low, high }: Estimate, digits: number): string {
  return `${value.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
}
