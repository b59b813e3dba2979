import { describe, expect, it } from 'vitest';
import { bootstrapMean, wilson } from '../../../src/evaluation/intervals.ts';

describe('wilson', () => {
  it.each([
    // By hand from the formula of 1927, to four places.
    [5, 10, 0.2366, 0.7634],
    [0, 10, 0, 0.2775],
    [10, 10, 0.7225, 1],
    [1, 29, 0.0061, 0.1718],
  ])('%i of %i', (successes, n, low, high) => {
    const estimate = wilson(successes, n);
    expect(estimate.value).toBe(successes / n);
    expect(estimate.low).toBeCloseTo(low, 3);
    expect(estimate.high).toBeCloseTo(high, 3);
  });

  it('holds what it estimates, whatever the share', () => {
    for (let n = 1; n <= 60; n += 1)
      for (let successes = 0; successes <= n; successes += 1) {
        const { value, low, high } = wilson(successes, n);
        expect(low >= 0 && low <= value && value <= high && high <= 1).toBe(true);
      }
  });

  it.each([
    [0, 0],
    [2, 1],
    [-1, 3],
  ])('refuses %i of %i', (successes, n) => {
    expect(() => wilson(successes, n)).toThrow(RangeError);
  });
});

describe('bootstrapMean', () => {
  it('gives the same interval for the same numbers, and one that holds their mean', () => {
    const values = Array.from({ length: 40 }, (_, index) => (index * 37) % 11);
    const estimate = bootstrapMean(values);
    expect(bootstrapMean(values)).toEqual(estimate);
    expect(estimate.low).toBeLessThan(estimate.value);
    expect(estimate.high).toBeGreaterThan(estimate.value);
    // The normal approximation, which is near for forty numbers.
    const deviation = Math.sqrt(values.reduce((sum, one) => sum + (one - estimate.value) ** 2, 0) / values.length);
    expect(estimate.high - estimate.low).toBeCloseTo((2 * 1.96 * deviation) / Math.sqrt(values.length), 0);
  });

  it('has no width where nothing varies, and refuses nothing at all', () => {
    expect(bootstrapMean([2, 2, 2])).toEqual({ value: 2, low: 2, high: 2, n: 3 });
    expect(() => bootstrapMean([])).toThrow(RangeError);
  });
});
