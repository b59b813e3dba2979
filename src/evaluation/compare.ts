import type { Score } from './score.ts';
import { pairedDifference, RUNBOOK_MODE } from './summarize.ts';

/** A measure that got worse since the run that is compared with. */
export interface Regression {
  readonly column: string;
  readonly measure: string;
  readonly words: string;
}

const MEASURES: readonly (readonly [string, (score: Score) => number])[] = [
  ['cause', ({ cause }) => Number(cause)],
  ['grounding', ({ citations }) => (citations.all === 0 ? 1 : citations.grounded / citations.all)],
  ['plan', ({ plan }) => Number(plan)],
  ['outcome', ({ outcome }) => Number(outcome)],
];

/**
 * Gives what got worse, scenario by scenario, where the 95 % interval of the difference lies below nothing. Runbook mode asks no model and
 * has nothing to vary by: there every scenario that was right and is not any more counts. Columns and scenarios that only one of them has are left out.
 */
export function regressionsSince(
  before: ReadonlyMap<string, readonly Score[]>,
  now: ReadonlyMap<string, readonly Score[]>,
): Regression[] {
  return [...now].flatMap(([column, scores]) => {
    const names = new Set(scores.map(({ scenario }) => scenario));
    const earlier = (before.get(column) ?? []).filter(({ scenario }) => names.has(scenario));
    if (earlier.length === 0) return [];
    return MEASURES.flatMap(([measure, measured]): Regression[] => {
      if (column === RUNBOOK_MODE) {
        const worse = scores.filter((score) =>
          earlier.some((old) => old.scenario === score.scenario && measured(old) > measured(score)),
        );
        const which = [...new Set(worse.map(({ scenario }) => scenario))];
        return which.length === 0 ? [] : [{ column, measure, words: `worse in ${which.join(', ')}` }];
      }
      const { value, low, high } = pairedDifference(scores, earlier, measured);
      if (high >= 0) return [];
      const points = (share: number) => `${(share * 100).toFixed(1)}`;
      return [{ column, measure, words: `${points(value)} points (${points(low)} to ${points(high)})` }];
    });
  });
}
