import { describe, expect, it } from 'vitest';
import { createRouter, type Routed, Speed } from '../../../src/llm/route.ts';

let now = 0;
const model = (
  name: string,
  tier: 'frontier' | 'standard' | 'small',
  weight = 1,
  price?: [number, number],
): Routed => ({
  name,
  config: { tier, weight },
  price: price
    ? { input: price[0], output: price[1], cachedInput: 0, cacheWrite: 0, long: null, asOf: null, assumed: false }
    : null,
  speed: new Speed(() => now),
});
const big = model('big', 'frontier', 1, [10, 50]);
const middle = model('middle', 'standard', 2, [2, 10]);
const little = model('little', 'small', 1, [0.1, 0.5]);
const local = model('local', 'small');
const all = [big, middle, little, local];
const names = (found: readonly Routed[]) => found.map(({ name }) => name);

describe('without a route', () => {
  const router = createRouter(all, {});

  it('models are asked in the order of the configuration', () => {
    for (const role of ['investigate', 'diagnose', 'critique', 'plan', 'judge', 'answer'] as const)
      expect(names(router.order(role))).toEqual(['big', 'middle', 'little', 'local']);
  });

  it('the smallest come first where little is at stake, and nobody is asked to rerank', () => {
    expect(names(router.order('triage'))).toEqual(['little', 'local', 'middle', 'big']);
    expect(names(router.order('summarise'))).toEqual(['little', 'local', 'middle', 'big']);
    expect(router.order('rerank')).toEqual([]);
    expect(router.candidates('rerank')).toEqual([]);
  });
});

describe('a route', () => {
  it('names who is asked, in its order, and nobody else', () => {
    const router = createRouter(all, { rerank: { models: ['middle', 'big'], strategy: 'fallback' } });
    expect(names(router.order('rerank'))).toEqual(['middle', 'big']);
  });

  it('leaves out who must not answer', () => {
    expect(names(createRouter(all, {}).order('judge', { not: ['big', 'little'] }))).toEqual(['middle', 'local']);
  });

  it('spreads by weight, and keeps the others to fall back on', () => {
    const router = createRouter(all, { plan: { models: ['big', 'middle', 'little'], strategy: 'balance' } });
    const turns = Array.from({ length: 40 }, () => names(router.order('plan')));
    const first = turns.map(([name]) => name);
    expect(first.filter((name) => name === 'middle')).toHaveLength(20);
    expect(first.filter((name) => name === 'big')).toHaveLength(10);
    expect(first.filter((name) => name === 'little')).toHaveLength(10);
    for (const turn of turns) expect(turn.toSorted()).toEqual(['big', 'little', 'middle']);
  });

  it('prefers who was fastest of late, and tries whoever was not measured', () => {
    const router = createRouter(all, { plan: { models: ['big', 'middle', 'little'], strategy: 'fastest' } });
    for (const ms of [900, 100, 5000]) big.speed.note(ms);
    for (const ms of [300, 300]) middle.speed.note(ms);
    expect(names(router.order('plan'))).toEqual(['little', 'middle', 'big']);
    little.speed.note(400);
    expect(names(router.order('plan'))).toEqual(['middle', 'little', 'big']);
    for (let time = 0; time < 20; time += 1) middle.speed.note(2000);
    expect(names(router.order('plan'))).toEqual(['little', 'big', 'middle']);
    now += 600_001;
    expect(names(router.order('plan'))).toEqual(['big', 'middle', 'little']);
  });

  it('near a ceiling is its smallest models alone, the lowest price first', () => {
    const router = createRouter(all, { plan: { models: ['big', 'middle'], strategy: 'fallback' } });
    expect(names(router.order('plan', { cheapest: true }))).toEqual(['middle']);
    expect(names(router.order('diagnose', { cheapest: true }))).toEqual(['local', 'little']);
  });
});
