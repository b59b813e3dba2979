import type { Run } from './last-run.ts';
import type { Measure } from './measure.ts';

const HEAD = ['metric', 'value', 'unit', 'floor', 'ratio', 'lowest–highest', 'goal', 'met', 'last run'];

/** Renders measures as a table for people, with what the last run had in place of each. */
export function renderTable(measures: readonly Measure[], before: Run | null): string[] {
  const rows = measures.map((one) => [
    one.metric,
    String(one.value),
    one.unit,
    one.floor === null ? '' : String(one.floor),
    one.ratio === null ? '' : String(one.ratio),
    one.spread.join('–'),
    one.goal ?? '',
    one.met === null ? '' : one.met ? 'yes' : 'NO',
    change(one, before),
  ]);
  const widths = HEAD.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [
    line(HEAD),
    line(widths.map((width) => '─'.repeat(width))),
    ...rows.map(line),
    '',
    before
      ? `last run: ${before.at}, Node ${before.node}, ${before.cpus} processors, load ${before.load}`
      : 'last run: none was kept',
  ];
}

/** A ratio is compared with a ratio, because the machine may have been busier. */
function change(one: Measure, before: Run | null): string {
  const last = before?.measures.find(({ metric }) => metric === one.metric);
  if (!last) return '';
  const [now, then] = one.ratio !== null && last.ratio !== null ? [one.ratio, last.ratio] : [one.value, last.value];
  if (then === 0) return String(then);
  const percent = Math.round((now / then - 1) * 100);
  return `${then} (${percent >= 0 ? '+' : ''}${percent} %)`;
}
