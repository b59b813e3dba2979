import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Budget } from '../../../src/llm/budget.ts';
import { createRoom } from '../../../src/llm/room.ts';
import { simulatedClock } from './simulated-clock.ts';

const MINUTE = 60_000;
const need = (tokens: number) => ({ requests: 1, tokens, inputTokens: tokens / 2, outputTokens: tokens / 2 });
const never = new AbortController().signal;
const settled = async () => {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
};

describe('the budget of an endpoint', () => {
  it('has room for what is declared, and then none until the first is a minute old', () => {
    const clock = simulatedClock();
    const start = clock.now();
    const budget = new Budget({ tokensPerMinute: 1000, requestsPerMinute: 3 }, clock.now);
    budget.reserve(need(600));
    expect(budget.roomAt(need(400))).toBe(start);
    expect(budget.roomAt(need(401))).toBe(start + MINUTE + 1000);
    clock.to(start + 10_000);
    budget.reserve(need(100));
    budget.reserve(need(100));
    expect(budget.roomAt(need(1))).toBe(start + MINUTE + 1000);
    clock.to(start + MINUTE + 1000);
    expect(budget.roomAt(need(1))).toBe(clock.now());
    expect(budget.roomAt(need(801))).toBe(start + 10_000 + MINUTE + 1000);
  });

  it('counts what the provider counted once it is known, and nothing of what never got there', () => {
    const clock = simulatedClock();
    const budget = new Budget({ tokensPerMinute: 1000 }, clock.now);
    const first = budget.reserve(need(900));
    expect(budget.isBusy).toBe(true);
    budget.settle(first, need(300));
    expect(budget.isBusy).toBe(false);
    expect(budget.roomAt(need(700))).toBe(clock.now());
    expect(budget.roomAt(need(701))).toBeGreaterThan(clock.now());
    const second = budget.reserve(need(700));
    budget.settle(second, null);
    expect(budget.roomAt(need(700))).toBe(clock.now());
  });

  it('lets through by itself what is estimated to need more than there ever is', () => {
    const clock = simulatedClock();
    const budget = new Budget({ tokensPerMinute: 1000 }, clock.now);
    expect(budget.roomAt(need(5000))).toBe(clock.now());
    budget.reserve(need(5000));
    expect(budget.roomAt(need(5000))).toBe(clock.now() + MINUTE + 1000);
  });

  it('never lets more through in any sixty seconds than is declared', () => {
    const calls = fc.array(
      fc.record({ pause: fc.integer({ min: 0, max: 20_000 }), tokens: fc.integer({ min: 1, max: 1000 }) }),
      {
        minLength: 20,
        maxLength: 200,
      },
    );
    fc.assert(
      fc.property(calls, (all) => {
        const clock = simulatedClock();
        const budget = new Budget({ tokensPerMinute: 2000, requestsPerMinute: 5 }, clock.now);
        const sent: { at: number; tokens: number }[] = [];
        for (const { pause, tokens } of all) {
          clock.to(clock.now() + pause);
          clock.to(budget.roomAt(need(tokens)));
          budget.settle(budget.reserve(need(tokens)), need(tokens));
          sent.push({ at: clock.now(), tokens });
        }
        for (const { at } of sent) {
          const within = sent.filter((one) => one.at >= at && one.at < at + MINUTE);
          expect(within.length).toBeLessThanOrEqual(5);
          expect(within.reduce((sum, { tokens }) => sum + tokens, 0)).toBeLessThanOrEqual(2000);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('goes by what the headers last said, less what was sent since and what is under way', () => {
    const clock = simulatedClock();
    const budget = new Budget({}, clock.now);
    expect(budget.roomAt(need(1_000_000))).toBe(clock.now());
    const [answered, underWay] = [budget.reserve(need(100)), budget.reserve(need(300))];
    budget.hear(new Headers({ 'x-ratelimit-remaining-tokens': '1000', 'x-ratelimit-reset-tokens': '30s' }), answered);
    budget.settle(answered, need(100));
    expect(budget.roomAt(need(700))).toBe(clock.now());
    expect(budget.roomAt(need(701))).toBe(clock.now() + 30_000);
    budget.settle(underWay, need(300));
    budget.reserve(need(600));
    expect(budget.roomAt(need(101))).toBe(clock.now() + 30_000);
    clock.to(clock.now() + 30_000);
    expect(budget.roomAt(need(1_000_000))).toBe(clock.now());
  });

  it('takes what was used to come back steadily, where the headers say how much there is in all', () => {
    const clock = simulatedClock();
    const budget = new Budget({}, clock.now);
    const headers = new Headers({
      'anthropic-ratelimit-tokens-limit': '1000',
      'anthropic-ratelimit-tokens-remaining': '0',
      'anthropic-ratelimit-tokens-reset': new Date(clock.now() + 60_000).toISOString(),
    });
    const reservation = budget.reserve(need(1));
    budget.hear(headers, reservation);
    budget.settle(reservation, need(1));
    expect(budget.roomAt(need(100))).toBe(clock.now() + 6000);
    expect(budget.roomAt(need(5000))).toBe(clock.now() + 60_000);
    clock.to(clock.now() + 6000);
    budget.settle(budget.reserve(need(100)), need(100));
    expect(budget.roomAt(need(100))).toBe(clock.now() + 6000);
    budget.hear(headers, reservation, clock.now() + 1000);
    expect(budget.roomAt(need(1000))).toBe(clock.now() + 1000);
  });

  it('leaves an endpoint alone that asked for it', () => {
    const clock = simulatedClock();
    const budget = new Budget({}, clock.now);
    budget.rest(clock.now() + 5000);
    budget.rest(clock.now() + 2000);
    expect(budget.roomAt(need(1))).toBe(clock.now() + 5000);
  });
});

describe('the queue for room', () => {
  const one = (limits: { tokensPerMinute?: number; requestsPerMinute?: number }, clock = simulatedClock()) => ({
    clock,
    room: createRoom<{ budget: Budget }>(clock),
    endpoint: { budget: new Budget(limits, clock.now) },
  });

  it('gives the first endpoint that has room', async () => {
    const { clock, room, endpoint } = one({ tokensPerMinute: 1000 });
    const other = { budget: new Budget({}, clock.now) };
    endpoint.budget.reserve(need(1000));
    const place = await room.take([endpoint, other], need(10), { waitMs: 0, signal: never });
    expect(place?.endpoint).toBe(other);
  });

  it('lets nobody overtake, so that a large question does not starve', async () => {
    const { clock, room, endpoint } = one({ tokensPerMinute: 1000 });
    endpoint.budget.reserve(need(600));
    clock.to(clock.now() + 55_000);
    const order: string[] = [];
    const take = (name: string, tokens: number) =>
      room
        .take([endpoint], need(tokens), { waitMs: 10_000, signal: never })
        .then((place) => order.push(place ? name : `no ${name}`));
    const all = [take('large', 900), take('small', 100), take('smaller', 50)];
    await settled();
    expect(order).toEqual([]);
    clock.to(clock.now() + 6000);
    await settled();
    expect(order).toEqual(['large', 'small']);
    clock.to(clock.now() + 4000);
    await Promise.all(all);
    expect(order).toEqual(['large', 'small', 'no smaller']);
  });

  it('lets those behind go when the one before gives up', async () => {
    const { clock, room, endpoint } = one({ tokensPerMinute: 1000 });
    endpoint.budget.reserve(need(600));
    clock.to(clock.now() + 55_000);
    const caller = new AbortController();
    const first = room.take([endpoint], need(900), { waitMs: 10_000, signal: caller.signal });
    const second = room.take([endpoint], need(100), { waitMs: 10_000, signal: never });
    caller.abort();
    expect(await first).toBeNull();
    expect((await second)?.endpoint).toBe(endpoint);
  });

  it('takes no room for a question that was given up already', async () => {
    const { room, endpoint } = one({ requestsPerMinute: 1 });
    expect(await room.take([endpoint], need(1), { waitMs: 0, signal: AbortSignal.abort() })).toBeNull();
    expect(await room.take([endpoint], need(1), { waitMs: 0, signal: never })).not.toBeNull();
  });

  it('does not wait for what will not be there in time', async () => {
    const { room, endpoint } = one({ requestsPerMinute: 1 });
    endpoint.budget.settle(endpoint.budget.reserve(need(1)), need(1));
    expect(await room.take([endpoint], need(1), { waitMs: 10_000, signal: never })).toBeNull();
    expect(await room.take([], need(1), { waitMs: 10_000, signal: never })).toBeNull();
  });

  it('looks again when a call turned out smaller than it was estimated', async () => {
    const { room, endpoint } = one({ tokensPerMinute: 1000 });
    const large = endpoint.budget.reserve(need(1000));
    const waiting = room.take([endpoint], need(500), { waitMs: 10_000, signal: never });
    endpoint.budget.settle(large, need(100));
    room.look();
    expect((await waiting)?.endpoint).toBe(endpoint);
  });
});
