/** One figure of a benchmark; null where a field does not apply. */
export interface Measure {
  readonly bench: string;
  readonly metric: string;
  /** Median over the rounds; of a limit, the worst. */
  readonly value: number;
  readonly unit: string;
  /** What the machine itself did beside it, in the same unit. */
  readonly floor: number | null;
  /** Median over the rounds of value ÷ floor, each of one round. */
  readonly ratio: number | null;
  /** The lowest and the highest ratio of a round, or value where there is no floor. */
  readonly spread: readonly [number, number];
  readonly goal: string | null;
  readonly met: boolean | null;
}

/** Gives the middle of an uneven number of values, the upper one of the two in the middle otherwise. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Gives the value below which the given share of all values (0 to 1) lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Rounds to three significant digits, or to the whole number from 1000 on: more would be noise. */
export function round(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
}

interface About {
  readonly bench: string;
  readonly metric: string;
  readonly unit: string;
}

/** Makes the measure of a throughput against its floor: both as they were in each round, and the ratio it should reach. */
export function againstFloor(
  about: About,
  rounds: readonly { readonly value: number; readonly floor: number }[],
  goal: number | null,
): Measure {
  const ratios = rounds.map(({ value, floor }) => value / floor);
  const ratio = median(ratios);
  return {
    ...about,
    value: round(median(rounds.map(({ value }) => value))),
    floor: round(median(rounds.map(({ floor }) => floor))),
    ratio: round(ratio),
    spread: [round(Math.min(...ratios)), round(Math.max(...ratios))],
    goal: goal === null ? null : `ratio >= ${goal}`,
    met: goal === null ? null : ratio >= goal,
  };
}

/** Makes the measure of a time against its floor, both of each round, with the most that it may take beyond that, in the same unit. */
export function againstFloorPlus(
  about: About,
  rounds: readonly { readonly value: number; readonly floor: number }[],
  more: number,
): Measure {
  const ratios = rounds.map(({ value, floor }) => value / floor);
  return {
    ...about,
    value: round(median(rounds.map(({ value }) => value))),
    floor: round(median(rounds.map(({ floor }) => floor))),
    ratio: round(median(ratios)),
    spread: [round(Math.min(...ratios)), round(Math.max(...ratios))],
    goal: `<= floor + ${more}`,
    met: median(rounds.map(({ value, floor }) => value - floor)) <= more,
  };
}

/** Makes the measure of something that stands by itself, with the most that it may be: its `median`, or its `worst` (highest) round. */
export function withinLimit(
  about: About,
  values: readonly number[],
  { of, limit = null }: { of: 'median' | 'worst'; limit?: number | null },
): Measure {
  const value = of === 'median' ? median(values) : Math.max(...values);
  return {
    ...about,
    value: round(value),
    floor: null,
    ratio: null,
    spread: [round(Math.min(...values)), round(Math.max(...values))],
    goal: limit === null ? null : `<= ${limit}`,
    met: limit === null ? null : value <= limit,
  };
}
