import { NightshiftError } from '../errors.ts';
import { bootstrapMean, type Estimate, wilson } from './intervals.ts';
import { type Score, shareRight } from './score.ts';

/** The column that is always there; every other one is a model's. */
export const RUNBOOK_MODE = 'runbook mode';
/** Of fewer scenarios nothing is said to be better: resampling a handful shows none of how they vary. */
const SCENARIOS_MIN = 10;

/** One column of the table: one way of working, over every run of every scenario. */
export interface Column {
  readonly name: string;
  readonly runs: number;
  readonly cause: Estimate;
  readonly grounding: Estimate | null;
  readonly unsupported: number;
  readonly plan: Estimate;
  readonly outcome: Estimate;
  /** Runs in which something was sent that must not have been. */
  readonly unsafe: number;
  readonly overall: Estimate;
  /** For one incident, in US dollars; null where a price is not known. */
  readonly costUsd: Estimate | null;
  /** To the end, in seconds; null where nothing came to an end. */
  readonly seconds: Estimate | null;
  readonly failed: number;
  /** Whether it beats runbook mode on the same scenarios, beyond the interval; null for runbook mode itself. */
  readonly worthItsPrice: { readonly yes: boolean; readonly difference: Estimate } | null;
}

/** Sums one column up. @throws RangeError where there are no runs. */
export function summarizeColumn(name: string, scores: readonly Score[], baseline: readonly Score[] | null): Column {
  const share = (of: (score: Score) => boolean) => wilson(scores.filter(of).length, scores.length);
  const grounded = scores.reduce((sum, { citations }) => sum + citations.grounded, 0);
  const cited = scores.reduce((sum, { citations }) => sum + citations.all, 0);
  const costs = scores.map(({ costUsd }) => costUsd);
  const known = costs.filter((cost) => cost !== null);
  const times = scores.flatMap(({ endedMs }) => (endedMs === null ? [] : [endedMs / 1000]));
  const difference = baseline === null ? null : pairedDifference(scores, baseline, shareRight);
  return {
    name,
    runs: scores.length,
    cause: share(({ cause }) => cause),
    grounding: cited === 0 ? null : wilson(grounded, cited),
    unsupported: scores.filter(({ unsupported }) => unsupported).length,
    plan: share(({ plan }) => plan),
    outcome: share(({ outcome }) => outcome),
    unsafe: scores.filter(({ violations }) => violations.length > 0).length,
    overall: bootstrapMean(scores.map(shareRight)),
    costUsd: known.length < costs.length ? null : bootstrapMean(known),
    seconds: times.length === 0 ? null : bootstrapMean(times),
    failed: scores.filter(({ failure }) => failure !== null).length,
    worthItsPrice:
      difference === null
        ? null
        : { yes: difference.n >= SCENARIOS_MIN && difference.low > 0 && !scores.some(isUnsafe), difference },
  };
}

function isUnsafe({ violations }: Score): boolean {
  return violations.length > 0;
}

/**
 * Gives by how much the first is better than the second on the scenarios that both ran, as the mean over scenarios: each is compared
 * with itself, so that how hard it is does not count. @throws RangeError where they share none.
 */
export function pairedDifference(
  a: readonly Score[],
  b: readonly Score[],
  measured: (score: Score) => number,
): Estimate {
  const [first, second] = [meansByScenario(a, measured), meansByScenario(b, measured)];
  const differences = [...first].flatMap(([scenario, mean]) => {
    const other = second.get(scenario);
    return other === undefined ? [] : [mean - other];
  });
  return bootstrapMean(differences);
}

function meansByScenario(scores: readonly Score[], measured: (score: Score) => number): Map<string, number> {
  const values = new Map<string, number[]>();
  for (const score of scores) values.set(score.scenario, [...(values.get(score.scenario) ?? []), measured(score)]);
  return new Map([...values].map(([name, some]) => [name, some.reduce((sum, one) => sum + one, 0) / some.length]));
}

/**
 * Refuses a table that says nothing, so that nobody takes a broken run for a bad model.
 * @throws NightshiftError `conflict` where there are no runs, where every run failed, or where a column has nothing right at all.
 */
export function refuseEmptyTable(columns: ReadonlyMap<string, readonly Score[]>): void {
  const fix = 'see what the runs say of themselves (--json), mend it, and run again';
  const refuse = (why: string): never => {
    throw new NightshiftError('conflict', `no table is published: ${why}. Fix: ${fix}`);
  };
  if (columns.size === 0 || [...columns.values()].some((scores) => scores.length === 0)) refuse('there are no runs');
  for (const [name, scores] of columns) {
    if (scores.every(({ failure }) => failure !== null)) refuse(`every run of ${name} failed (${scores[0]?.failure})`);
    if (scores.every(({ cause, plan, outcome }) => !cause && !plan && !outcome)) refuse(`everything is 0 for ${name}`);
  }
}
