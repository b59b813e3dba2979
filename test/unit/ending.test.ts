import { describe, expect, it } from 'vitest';
import { endUntil } from '../../src/ending.ts';

describe('endUntil', () => {
  it('ends all side by side, and names what hangs and what fails', async () => {
    const ended: string[] = [];
    const began = Date.now();
    const unended = await endUntil(began + 200, [
      { name: 'good', end: async () => void ended.push('good') },
      { name: 'hangs', end: () => new Promise(() => {}) },
      { name: 'fails', end: () => Promise.reject(new Error('no way')) },
      {
        name: 'throws',
        end: () => {
          throw new Error('at once');
        },
      },
      { name: 'has nothing to end', end: () => undefined },
      { name: 'also good', end: async () => void ended.push('also good') },
    ]);
    expect(unended).toEqual([
      { name: 'hangs', why: 'has not ended in time' },
      { name: 'fails', why: 'no way' },
      { name: 'throws', why: 'at once' },
    ]);
    expect(ended).toEqual(['good', 'also good']);
    expect(Date.now() - began).toBeGreaterThanOrEqual(195);
  });

  it('waits no longer than for the last of them', async () => {
    const began = Date.now();
    expect(await endUntil(began + 60_000, [{ name: 'good', end: async () => {} }])).toEqual([]);
    expect(Date.now() - began).toBeLessThan(10_000);
  });
});
