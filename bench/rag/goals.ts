import { type Measure, median, round } from '../measure.ts';

type About = Pick<Measure, 'bench' | 'metric' | 'unit'>;

/** Makes the measure of a share, 0 to 1, with the least that it may be. */
export function atLeast(about: About, value: number, least: number): Measure {
  const shown = round(value);
  return {
    ...about,
    value: shown,
    floor: null,
    ratio: null,
    spread: [shown, shown],
    goal: `>= ${least}`,
    met: value >= least,
  };
}

/** Makes the measure of a time against its floor, both of each round, with the most that their ratio may be. */
export function againstCeiling(
  about: About,
  rounds: readonly { readonly value: number; readonly floor: number }[],
  most: number,
): Measure {
  const ratios = rounds.map(({ value, floor }) => value / floor);
  return {
    ...about,
    value: round(median(rounds.map(({ value }) => value))),
    floor: round(median(rounds.map(({ floor }) => floor))),
    ratio: round(median(ratios)),
    spread: [round(Math.min(...ratios)), round(Math.max(...ratios))],
    goal: `ratio <= ${most}`,
    met: median(ratios) <= most,
  };
}
