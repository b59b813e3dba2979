import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type BreakerState, createBreaker } from '../../../src/llm/breaker.ts';
import { ModelFailure, type Outcome } from '../../../src/llm/failure.ts';

let states: BreakerState[];
let breaker: ReturnType<typeof createBreaker>;
const fail = (outcome: Outcome, options?: { isCutShort: boolean }) =>
  breaker.run(() => Promise.reject(new ModelFailure(outcome, 'x', options))).catch(() => undefined);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  states = [];
  breaker = createBreaker((state) => void states.push(state));
});
afterEach(() => vi.useRealTimers());

it.each(['timeout', 'unreachable', 'limited', 'unavailable'] as const)(
  'opens after five times %s in a row',
  async (outcome) => {
    for (let time = 0; time < 4; time += 1) await fail(outcome);
    expect(breaker.admits()).toBe(true);
    await fail(outcome);
    expect(breaker.admits()).toBe(false);
    expect([breaker.state, states]).toEqual(['open', ['open']]);
    await expect(breaker.run(async () => 'asked')).rejects.toMatchObject({ outcome: 'unavailable' });
  },
);

it('begins to count anew after an answer', async () => {
  for (let time = 0; time < 4; time += 1) await fail('timeout');
  await breaker.run(async () => 'fine');
  for (let time = 0; time < 4; time += 1) await fail('timeout');
  expect(breaker.admits()).toBe(true);
});

it('does not count what is ours, what others left no time for, or what was only not liked', async () => {
  for (const outcome of ['rejected', 'refused', 'empty', 'invalid', 'aborted', 'failed'] as const)
    for (let time = 0; time < 5; time += 1) await fail(outcome);
  for (let time = 0; time < 5; time += 1) await fail('timeout', { isCutShort: true });
  expect(states).toEqual([]);
});

it('lets three through after 30 seconds, nobody else meanwhile, and closes when all three were answered', async () => {
  for (let time = 0; time < 5; time += 1) await fail('unreachable');
  vi.setSystemTime(Date.now() + 29_999);
  expect(breaker.admits()).toBe(false);
  vi.setSystemTime(Date.now() + 1);
  expect(breaker.admits()).toBe(true);
  const ends: (() => void)[] = [];
  const probe = () => breaker.run(() => new Promise<void>((resolve) => void ends.push(resolve)));
  const probes = [probe(), probe(), probe()];
  expect([breaker.state, breaker.admits()]).toEqual(['half_open', false]);
  await expect(probe()).rejects.toMatchObject({ outcome: 'unavailable' });
  for (const end of ends.slice(0, 2)) end();
  await Promise.all(probes.slice(0, 2));
  expect(breaker.admits()).toBe(false);
  ends[2]?.();
  await probes[2];
  expect([breaker.state, breaker.admits(), states]).toEqual(['closed', true, ['open', 'half_open', 'closed']]);
});

it('opens again with the first of the three that fails', async () => {
  for (let time = 0; time < 5; time += 1) await fail('unavailable');
  vi.setSystemTime(Date.now() + 30_000);
  await breaker.run(async () => 'fine');
  await fail('unavailable');
  expect([breaker.state, breaker.admits()]).toEqual(['open', false]);
});
