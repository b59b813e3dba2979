import type { PolicyLimit, Question, Run } from './question.ts';
import { labelOf, whyNotMatched } from './scope.ts';

/** Tells whether something happened less than so many seconds before `at`; what is yet to come counts as young. */
export function isYounger(when: Date, at: Date, seconds: number): boolean {
  return at.getTime() - when.getTime() < seconds * 1000;
}

type Rate = Pick<PolicyLimit, 'per' | 'runs' | 'share' | 'withinSeconds'>;

/** Whether a limit is reached, and the numbers that say so. */
export interface Measured {
  readonly reached: boolean;
  readonly says: string;
}

/** Measures a question against a limit on runs or on the share of a group, whatever tools and labels the limit is for. */
export function measure({ per, runs, share, withinSeconds }: Rate, question: Question): Measured {
  const young = question.recent.filter(({ at }) => isYounger(at, question.at, withinSeconds));
  if (share !== null) return measureShare(young, share, withinSeconds, question);
  // One of the two is there; without either, nothing is too much to be asked about.
  return measureRuns(young, per, runs ?? 0, withinSeconds, question);
}

function measureRuns(
  young: readonly Run[],
  per: PolicyLimit['per'],
  runs: number,
  withinSeconds: number,
  { call, labels }: Question,
): Measured {
  const counted = (count: number, about: string) => ({
    reached: count >= runs,
    says: `${count} run(s)${about} in ${withinSeconds} s (limit ${runs})`,
  });
  if (per === 'all') return counted(young.length, '');
  const isLabel = per === 'service' || per === 'namespace';
  const key = isLabel ? labelOf(labels, per) : call[per];
  if (isLabel && key === '') return { reached: false, says: `the alert has no label ${per}` };
  return counted(young.filter((run) => run[per] === key).length, ` of ${per} ${key}`);
}

function measureShare(
  young: readonly Run[],
  share: number,
  withinSeconds: number,
  { call, population }: Question,
): Measured {
  if (population === null) return { reached: false, says: 'the call is for no group of replicas' };
  const { group, members, affects } = population;
  // 0.29 of 100 is 29, although 0.29 * 100 is 28.999999999999996: fifteen digits are what a decimal keeps.
  const most = Math.max(1, Math.floor(Number((share * members).toPrecision(15))));
  const affected = young
    .filter((run) => run.instance === call.instance && run.group === group)
    .reduce((sum, run) => sum + run.affects, affects);
  return {
    reached: affected > most,
    says: `${affected} of ${members} member(s) of ${group} in ${withinSeconds} s (at most ${most})`,
  };
}

/** Gives each reason why a line of `limits:` is silent about a call of this effective class, in words. */
export function* whyNotLimited(limit: PolicyLimit, question: Question, risk: string): Generator<string> {
  if (risk === 'read') yield 'the call changes nothing';
  yield* whyNotMatched(limit, question);
  const { reached, says } = measure(limit, question);
  if (!reached) yield says;
}
