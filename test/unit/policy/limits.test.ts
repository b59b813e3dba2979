import { describe, expect, it } from 'vitest';
import { isYounger, measure, whyNotLimited } from '../../../src/policy/limits.ts';
import type { PolicyLimit } from '../../../src/policy/question.ts';
import { AT, limit, matchers, question, run, secondsAgo } from './make-question.ts';

describe('isYounger', () => {
  it.each([
    [-10, true],
    [0, true],
    [59.999, true],
    [60, false],
    [60.001, false],
  ])('%f seconds ago is younger than 60: %s', (seconds, expected) => {
    expect(isYounger(secondsAgo(seconds), AT, 60)).toBe(expected);
  });
});

describe('a limit on runs', () => {
  const asked = question();
  const same = {
    target: run({ target: 'shop:process web' }),
    instance: run({ instance: 'shop' }),
    tool: run({ tool: 'supervisor.restart' }),
    service: run({ service: 'search' }),
    namespace: run({ namespace: 'shop' }),
  };

  it.each(Object.keys(same) as (keyof typeof same)[])(
    'per %s counts what is equal in that, and nothing else',
    (per) => {
      const recent = Object.values(same);
      const { tool, instance, target } = asked.call;
      const key = { tool, instance, target, service: 'search', namespace: 'shop' }[per];
      expect(measure(limit({ per, runs: 1 }), { ...asked, recent })).toEqual({
        reached: true,
        says: `1 run(s) of ${per} ${key} in 3600 s (limit 1)`,
      });
      expect(measure(limit({ per, runs: 2 }), { ...asked, recent })).toEqual({
        reached: false,
        says: `1 run(s) of ${per} ${key} in 3600 s (limit 2)`,
      });
      expect(measure(limit({ per, runs: 2 }), { ...asked, recent: [same[per], same[per]] }).reached).toBe(true);
    },
  );

  it('per all counts every run', () => {
    const recent = Object.values(same);
    expect(measure(limit({ per: 'all', runs: 5 }), { ...asked, recent })).toEqual({
      reached: true,
      says: '5 run(s) in 3600 s (limit 5)',
    });
    expect(measure(limit({ per: 'all', runs: 6 }), { ...asked, recent }).reached).toBe(false);
  });

  it('forgets what is as old as its window', () => {
    const recent = [run({ at: secondsAgo(59.999) }), run({ at: secondsAgo(60) })];
    expect(measure(limit({ withinSeconds: 60 }), { ...asked, recent }).says).toBe('1 run(s) in 60 s (limit 1)');
  });

  it.each(['service', 'namespace'] as const)('per %s is silent where the alert has none, or an empty one', (per) => {
    const recent = [run({ [per]: '' })];
    for (const labels of [{}, { [per]: '' }]) {
      expect(measure(limit({ per }), question({ labels, recent }))).toEqual({
        reached: false,
        says: `the alert has no label ${per}`,
      });
    }
  });

  it('counts an empty target like any other', () => {
    expect(
      measure(limit({ per: 'target' }), question({ call: { target: '' }, recent: [run({ target: '' })] })).reached,
    ).toBe(true);
  });

  it('that says neither runs nor share lets nothing pass', () => {
    expect(measure(limit({ runs: null }), asked)).toEqual({ reached: true, says: '0 run(s) in 3600 s (limit 0)' });
  });
});

describe('a limit on the share of a group', () => {
  const share = (value: number): PolicyLimit => limit({ runs: null, share: value, withinSeconds: 600 });
  const affected = (affects: number, change = {}) => run({ instance: 'shop', group: 'web', affects, ...change });

  it.each([
    [0.25, 8, 2, false],
    [0.25, 8, 3, true],
    [0.25, 11, 2, false],
    [0.25, 11, 3, true],
    [0.25, 12, 3, false],
    [0.25, 3, 1, false],
    [0.25, 3, 2, true],
    [0.25, 0, 1, false],
    [0.29, 100, 29, false],
    [0.29, 100, 30, true],
    [0.07, 100, 7, false],
    [0.07, 100, 8, true],
    [0.333333333333333, 3, 1, false],
    [0.9999999999999, 3, 3, true],
    [1, 3, 3, false],
    [1, 3, 4, true],
    [0.5, 3, 0, false],
  ])('%f of %i members: %i is too much: %s', (value, members, affects, expected) => {
    const asked = question({ population: { group: 'web', members, affects } });
    expect(measure(share(value), asked).reached).toBe(expected);
  });

  it('adds what recent runs on the same instance and group affected', () => {
    const recent = [
      affected(1),
      affected(2, { at: secondsAgo(599.999) }),
      affected(10, { at: secondsAgo(600) }),
      affected(20, { instance: 'shop-2' }),
      affected(30, { group: 'worker' }),
      affected(40, { group: null }),
    ];
    const asked = question({ population: { group: 'web', members: 10, affects: 1 }, recent });
    expect(measure(share(0.3), asked)).toEqual({
      reached: true,
      says: '4 of 10 member(s) of web in 600 s (at most 3)',
    });
    expect(measure(share(0.4), asked)).toEqual({
      reached: false,
      says: '4 of 10 member(s) of web in 600 s (at most 4)',
    });
  });

  it('is silent about a call without a population', () => {
    expect(measure(share(0.1), question({ recent: [affected(100)] }))).toEqual({
      reached: false,
      says: 'the call is for no group of replicas',
    });
  });
});

describe('whyNotLimited', () => {
  it('gives nothing where the limit speaks, and every reason where it does not', () => {
    const recent = [run()];
    const narrow = limit({ runs: 2, matchers: matchers('env="prod"'), callMatchers: matchers('process="db"') });
    expect([...whyNotLimited(limit(), question({ recent }), 'safe')]).toEqual([]);
    expect([...whyNotLimited(narrow, question({ recent }), 'read')]).toEqual([
      'the call changes nothing',
      'label matcher env="prod" does not hold: it is "staging"',
      'call matcher process="db" does not hold: it is "web"',
      '1 run(s) in 3600 s (limit 2)',
    ]);
  });
});
