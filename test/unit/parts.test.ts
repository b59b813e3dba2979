import { describe, expect, it } from 'vitest';
import { createParts, STOP_MS } from '../../src/parts.ts';

/** Phases that are over sooner. */
const SOON = { work: 200, told: 300, tools: 400, audit: 500, database: 600 };

describe('the parts of an app', () => {
  it('are ended side by side within a phase, and what hangs or fails is named', async () => {
    const parts = createParts(SOON);
    const ended: string[] = [];
    const began = Date.now();
    parts.add('work', 'good', { stop: async () => void ended.push('good') });
    parts.add('work', 'hangs', { stop: () => new Promise(() => {}) });
    parts.add('work', 'fails', { stop: () => Promise.reject(new Error('no way')) });
    parts.add('work', 'throws', {
      stop: () => {
        throw new Error('at once');
      },
    });
    parts.add('work', 'has nothing to end', { stop: () => undefined });
    parts.add('work', 'also good', { stop: async () => void ended.push('also good') });
    expect(await parts.stop()).toEqual([
      { name: 'hangs', why: 'has not ended in time' },
      { name: 'fails', why: 'no way' },
      { name: 'throws', why: 'at once' },
    ]);
    expect(ended).toEqual(['good', 'also good']);
    expect(Date.now() - began).toBeGreaterThanOrEqual(195);
  });

  it('are ended phase after phase, in whatever order they were made, and each phase has its own time', async () => {
    const parts = createParts(SOON);
    const ended: string[] = [];
    const began = Date.now();
    for (const phase of ['database', 'audit', 'tools', 'told', 'work'] as const)
      parts.add(phase, phase, {
        stop() {
          ended.push(phase);
          return phase === 'work' || phase === 'tools' ? new Promise(() => {}) : undefined;
        },
      });
    expect((await parts.stop()).map(({ name }) => name)).toEqual(['work', 'tools']);
    expect(ended).toEqual(['work', 'told', 'tools', 'audit', 'database']);
    expect(Date.now() - began).toBeGreaterThanOrEqual(395);
  });

  it('are waited for no longer than for the last of them', async () => {
    const parts = createParts();
    parts.add('work', 'good', { stop: async () => {} });
    const began = Date.now();
    expect(await parts.stop()).toEqual([]);
    expect(Date.now() - began).toBeLessThan(10_000);
  });

  it('are started in the order of their making, and after a failed start all are ended', async () => {
    const parts = createParts(SOON);
    const heard: string[] = [];
    const one = (name: string, start: () => unknown) => ({
      start() {
        heard.push(`start ${name}`);
        return start();
      },
      stop: () => void heard.push(`stop ${name}`),
    });
    parts.add('database', 'open', { stop: () => void heard.push('stop open') });
    parts.add(
      'told',
      'slow',
      one('slow', () => new Promise((resolve) => setTimeout(resolve, 20))),
    );
    parts.add(
      'work',
      'broken',
      one('broken', () => Promise.reject(new Error('it cannot'))),
    );
    parts.add(
      'work',
      'later',
      one('later', () => {}),
    );
    await expect(parts.start()).rejects.toThrow('it cannot');
    expect(await parts.stop()).toEqual([]);
    expect(heard).toEqual(['start slow', 'start broken', 'stop broken', 'stop later', 'stop slow', 'stop open']);
  });

  it('are all ended in less than 20 s', () => {
    expect(Math.max(...Object.values(STOP_MS))).toBeLessThan(20_000);
    expect(Object.values(STOP_MS)).toEqual(Object.values(STOP_MS).toSorted((a, b) => a - b));
  });
});
