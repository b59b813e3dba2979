/** A number with the bounds between which the true one lies, at 95 %. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Of how many observations. */
  readonly n: number;
}

/** The 97.5 % quantile of the normal distribution. */
const Z = 1.959963984540054;
const RESAMPLES = 2000;

/**
 * Gives a share with its Wilson score interval, which keeps inside 0 to 1 and holds for few observations and for shares near the ends.
 * @see Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927)
 * @throws RangeError where there is nothing to take a share of.
 */
export function wilson(successes: number, n: number): Estimate {
  if (!(n > 0) || successes < 0 || successes > n) throw new RangeError(`${successes} of ${n} is no share`);
  const value = successes / n;
  const denominator = 1 + (Z * Z) / n;
  const centre = (value + (Z * Z) / (2 * n)) / denominator;
  const half = (Z * Math.sqrt((value * (1 - value)) / n + (Z * Z) / (4 * n * n))) / denominator;
  return {
    value,
    low: Math.min(value, Math.max(0, centre - half)),
    high: Math.max(value, Math.min(1, centre + half)),
    n,
  };
}

/**
 * Gives a mean with its percentile bootstrap interval; the same numbers give the same interval, since the resampling is seeded.
 * @see Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13
 * @throws RangeError where there are no values.
 */
export function bootstrapMean(values: readonly number[]): Estimate {
  const n = values.length;
  if (n === 0) throw new RangeError('there is no mean of nothing');
  const mean = (some: readonly number[]) => some.reduce((sum, value) => sum + value, 0) / some.length;
  const random = mulberry32(n);
  const means = Array.from({ length: RESAMPLES }, () =>
    mean(values.map(() => values[Math.floor(random() * n)] ?? 0)),
  ).sort((a, b) => a - b);
  const at = (share: number) => means[Math.min(RESAMPLES - 1, Math.floor(share * RESAMPLES))] ?? 0;
  return { value: mean(values), low: at(0.025), high: at(0.975), n };
}

/** Small and good enough for drawing samples; not for secrets. */
function mulberry32(seed: number): () => number {
  let state = (seed + 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
