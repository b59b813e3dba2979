import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RunEffect, wilsonLowerBound } from '../../../src/policy/index.ts';
import { whyNotEarned } from '../../../src/policy/record.ts';

const times = (count: number, effect: RunEffect) => Array<RunEffect>(count).fill(effect);
const reasons = (runs: number, healed: number, record: RunEffect[]) => [...whyNotEarned({ runs, healed }, record)];

describe('wilsonLowerBound', () => {
  // Computed by hand from Wilson's formula with z = 1.96.
  it.each([
    [0, 0, 0],
    [0, 1, 0],
    [0, 20, 0],
    [1, 1, 0.2065],
    [9, 10, 0.5958],
    [16, 20, 0.584],
    [20, 20, 0.8389],
    [95, 100, 0.8882],
    [1000, 1000, 0.9962],
  ])('of %i in %i is %f', (successes, total, expected) => {
    expect(wilsonLowerBound(successes, total)).toBeCloseTo(expected, 4);
  });

  it('solves the equation that defines it: the share lies z standard errors above', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.nat(1000), (total, some) => {
        const successes = Math.min(some, total);
        const bound = wilsonLowerBound(successes, total);
        expect(bound).toBeGreaterThanOrEqual(0);
        expect(bound).toBeLessThanOrEqual(successes / total);
        expect((successes / total - bound) ** 2).toBeCloseTo((1.96 ** 2 * bound * (1 - bound)) / total, 10);
      }),
    );
  });
});

describe('whyNotEarned', () => {
  it('is satisfied by enough good runs', () => {
    expect(reasons(20, 0.8, times(20, 'healed'))).toEqual([]);
    expect(reasons(1, 0, ['unchanged'])).toEqual([]);
    expect(reasons(3, 0, ['healed', 'unknown', 'unchanged', 'worse'])).toEqual([]);
  });

  it('wants as many runs as the rule says', () => {
    expect(reasons(21, 0.8, times(20, 'healed'))).toEqual(['record: 20 of 21 run(s)']);
    expect(reasons(1, 0, [])).toEqual(['record: 0 of 1 run(s)']);
  });

  it('wants the bound itself, not less', () => {
    const bound = wilsonLowerBound(9, 10);
    const record = [...times(9, 'healed'), 'unknown' as const];
    expect(reasons(10, bound, record)).toEqual([]);
    expect(reasons(10, 0.6, record)).toEqual(['record: 9 of 10 healed, Wilson lower bound 0.595 < 0.6']);
    expect(reasons(10, bound + 1e-9, record)).toHaveLength(1);
  });

  it('counts all outcomes, not only the newest', () => {
    expect(reasons(20, 0.8, [...times(20, 'healed'), ...times(20, 'unchanged')])).toEqual([
      'record: 20 of 40 healed, Wilson lower bound 0.351 < 0.8',
    ]);
  });

  it('is withdrawn by one run that made things worse, until as many others have not', () => {
    const worseThen = (count: number) => [...times(count, 'healed'), 'worse' as const, ...times(100, 'healed')];
    expect(reasons(20, 0.8, worseThen(0))).toEqual(['record: run 1 of the newest 20 made it worse']);
    expect(reasons(20, 0.8, worseThen(19))).toEqual(['record: run 20 of the newest 20 made it worse']);
    expect(reasons(20, 0.8, worseThen(20))).toEqual([]);
  });

  it('gives every reason', () => {
    expect(reasons(5, 0.5, ['healed', 'worse'])).toEqual([
      'record: 2 of 5 run(s)',
      'record: 1 of 2 healed, Wilson lower bound 0.094 < 0.5',
      'record: run 2 of the newest 5 made it worse',
    ]);
    expect(reasons(1, 0.1, [])).toEqual([
      'record: 0 of 1 run(s)',
      'record: 0 of 0 healed, Wilson lower bound 0.000 < 0.1',
    ]);
  });
});
