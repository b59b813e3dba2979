/** Reads of much of the database: shared, one after the other, and kept where they are dear. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createShared } from '../../../src/api/shared.ts';

describe('a shared read', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Reads that take so long, and how many of them went on at once. */
  function reads(milliseconds: number) {
    const shared = createShared();
    const seen = { times: 0, atOnce: 0, most: 0 };
    const read = async () => {
      seen.times += 1;
      seen.atOnce += 1;
      seen.most = Math.max(seen.most, seen.atOnce);
      await new Promise((done) => setTimeout(done, milliseconds));
      seen.atOnce -= 1;
      return seen.times;
    };
    return { seen, ask: (key: string) => shared(key, read) };
  }

  it('is one for all that ask meanwhile', async () => {
    const { seen, ask } = reads(50);
    const answers = Promise.all([ask('a'), ask('a'), ask('a')]);
    await vi.advanceTimersByTimeAsync(50);
    expect(await answers).toEqual([1, 1, 1]);
    expect(seen.times).toBe(1);
  });

  it('waits for others', async () => {
    const { seen, ask } = reads(50);
    const answers = Promise.all([ask('a'), ask('b'), ask('c')]);
    await vi.advanceTimersByTimeAsync(150);
    expect(await answers).toEqual([1, 2, 3]);
    expect(seen.most).toBe(1);
  });

  it('is kept for twenty times as long as it took', async () => {
    const { ask } = reads(1000);
    const first = ask('a');
    await vi.advanceTimersByTimeAsync(1000);
    expect(await first).toBe(1);
    await vi.advanceTimersByTimeAsync(19_999);
    expect(await ask('a')).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    const again = ask('a');
    await vi.advanceTimersByTimeAsync(1000);
    expect(await again).toBe(2);
  });

  it('is not kept where it is cheap', async () => {
    const { ask } = reads(100);
    for (const expected of [1, 2]) {
      const answer = ask('a');
      await vi.advanceTimersByTimeAsync(100);
      expect(await answer).toBe(expected);
    }
  });

  it('is not kept where it failed, and holds up nobody', async () => {
    const shared = createShared();
    const fail = async () => {
      await new Promise((done) => setTimeout(done, 1000));
      throw new Error('gone');
    };
    const failed = expect(shared('a', fail)).rejects.toThrow('gone');
    const other = shared('b', async () => 'b');
    await vi.advanceTimersByTimeAsync(1000);
    await failed;
    expect(await other).toBe('b');
    expect(await shared('a', async () => 'a')).toBe('a');
  });
});
