import type { PolicyRule, Question } from './question.ts';

/** The 97.5 % point of the normal distribution, so that the interval holds 95 %. */
const Z = 1.96;

/**
 * Gives the lower bound (0 to 1) of the 95 % Wilson score interval of a share: how often something works at least, after
 * `successes` of `total`. It is 0 for a total of 0, and never above what few tries can show.
 * @see E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, J. Am. Stat. Assoc. 22 (1927) 209–212
 */
export function wilsonLowerBound(successes: number, total: number): number {
  if (total === 0) return 0;
  const middle = successes + Z ** 2 / 2;
  const margin = Z * Math.sqrt((successes * (total - successes)) / total + Z ** 2 / 4);
  return (middle - margin) / (total + Z ** 2);
}

/** Gives each reason why a record does not earn the permission that a rule gives, in words; none where it does. */
export function* whyNotEarned(
  { runs, healed }: NonNullable<PolicyRule['record']>,
  record: Question['record'],
): Generator<string> {
  const total = record.length;
  if (total < runs) yield `record: ${total} of ${runs} run(s)`;
  const successes = record.filter((effect) => effect === 'healed').length;
  const bound = wilsonLowerBound(successes, total);
  if (bound < healed) yield `record: ${successes} of ${total} healed, Wilson lower bound ${shown(bound)} < ${healed}`;
  const worse = record.slice(0, runs).indexOf('worse');
  if (worse !== -1) yield `record: run ${worse + 1} of the newest ${runs} made it worse`;
}

/** Rounded down, so that what is below a threshold is never shown as the threshold itself. */
function shown(bound: number): string {
  return (Math.floor(bound * 1000) / 1000).toFixed(3);
}
