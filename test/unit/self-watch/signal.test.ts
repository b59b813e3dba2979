import { describe, expect, it } from 'vitest';
import type { SelfWatchConfig } from '../../../src/config/index.ts';
import { deliveryOf } from '../../../src/self-watch/alert.ts';
import {
  type Baseline,
  changes,
  compare,
  type Measured,
  type Sample,
  sigmasOf,
} from '../../../src/self-watch/signal.ts';

const FLOORS: SelfWatchConfig['floors'] = { latencySeconds: 10, errorRatio: 0.1, queueDepth: 10, escalationRatio: 0.3 };
const slow = (value: number, observations: number | null = 20): Measured => ({
  ...{ signal: 'latency_p95', agent: 'plan', value, observations },
});
const usual = (change: Partial<Baseline> = {}): Baseline => ({
  ...{ signal: 'latency_p95', agent: 'plan', samples: 288, mean: 8, stddev: 2 },
  ...change,
});

describe('a measurement', () => {
  it.each<[string, Measured, Baseline | undefined, boolean]>([
    ['above mean, two standard deviations and floor', slow(12.1), usual(), true],
    ['at two standard deviations', slow(12), usual(), false],
    ['with too few samples of the past', slow(12.1), usual({ samples: 287 }), false],
    ['with none', slow(12.1), undefined, false],
    ['of too few observations', slow(12.1, 4), usual(), false],
    ['of just enough', slow(12.1, 5), usual(), true],
    ['that is counted at one moment', slow(12.1, null), usual(), true],
    ['at the floor', slow(10), usual({ mean: 1, stddev: 0.1 }), false],
    ['above the floor only', slow(10.1), usual(), false],
    ['above what never changed', slow(10.1), usual({ mean: 10, stddev: 0 }), true],
    ['like what never changed', slow(12), usual({ mean: 12, stddev: 0 }), false],
    ['far below', slow(11), usual({ mean: 90, stddev: 1 }), false],
  ])('%s', (_, measured, baseline, deviates) => {
    expect(compare(measured, baseline, FLOORS)).toMatchObject({ ...measured, deviates });
  });

  it('has the floor of its signal', () => {
    const calm = { mean: 0, stddev: 0, samples: 300, agent: 'all' };
    for (const [signal, floor] of [
      ['latency_p95', 10],
      ['error_ratio', 0.1],
      ['queue_depth', 10],
      ['escalation_ratio', 0.3],
    ] as const) {
      const at = (value: number) =>
        compare({ signal, agent: 'all', value, observations: 9 }, { ...calm, signal }, FLOORS).deviates;
      expect([at(floor), at(floor + 0.01)], signal).toEqual([false, true]);
    }
  });

  it('is so many standard deviations above the mean', () => {
    expect(sigmasOf({ value: 14, usual: { mean: 8, stddev: 2 } })).toBe(3);
    expect(sigmasOf({ value: 5, usual: { mean: 8, stddev: 2 } })).toBe(-1.5);
    expect(sigmasOf({ value: 8, usual: { mean: 8, stddev: 0 } })).toBe(0);
    expect(sigmasOf({ value: 9, usual: { mean: 8, stddev: 0 } })).toBe(Number.POSITIVE_INFINITY);
    expect(sigmasOf({ value: 9, usual: null })).toBeNull();
  });
});

it('says of what never varied that it did not, and no number that is none', () => {
  const sample = { ...slow(30), usual: { mean: 8, stddev: 0 }, deviates: true };
  expect(deliveryOf([sample], [], new Date(0)).alerts[0]?.annotations).toMatchObject({ sigma: 'it never varied' });
});

describe('a round', () => {
  const plan = { signal: 'latency_p95', agent: 'plan' } as const;
  const sample = (deviates: boolean): Sample => ({ ...slow(30), usual: { mean: 8, stddev: 2 }, deviates });
  const before = new Set(['latency_p95 plan']);

  it('raises what deviates twice in a row, once', () => {
    expect(changes([sample(true)], before, []).raise).toHaveLength(1);
    expect(changes([sample(true)], new Set(), []).raise).toEqual([]);
    expect(changes([sample(false)], before, []).raise).toEqual([]);
    expect(changes([sample(true)], before, [plan])).toEqual({ raise: [], over: [] });
  });

  it('ends what does not deviate twice in a row', () => {
    expect(changes([sample(false)], new Set(), [plan]).over).toEqual([plan]);
    expect(changes([sample(false)], before, [plan]).over).toEqual([]);
    expect(changes([sample(true)], new Set(), [plan]).over).toEqual([]);
    expect(changes([sample(false)], new Set(), []).over).toEqual([]);
  });

  it('ends what no longer happens at all', () => {
    expect(changes([], new Set(), [plan]).over).toEqual([plan]);
  });

  it('says nothing where there was none before', () => {
    expect(changes([sample(true)], null, [])).toEqual({ raise: [], over: [] });
    expect(changes([sample(false)], null, [plan])).toEqual({ raise: [], over: [] });
  });
});
