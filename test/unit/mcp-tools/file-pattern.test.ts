import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesFilePattern } from '../../../src/mcp-tools/host/file-pattern.ts';

describe('file patterns', () => {
  it('agrees with the same pattern as a regular expression', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', '😀', '+'), minLength: 1, maxLength: 10 });
    const pattern = fc.string({
      unit: fc.constantFrom('a', 'b', '.', '*', '?', '😀', '+'),
      minLength: 1,
      maxLength: 7,
    });
    fc.assert(
      fc.property(name, pattern, (file, wanted) => {
        const source = wanted.replace(/[.+]/g, '\\$&').replaceAll('?', '.').replaceAll('*', '.*');
        const hidden = file.startsWith('.') && !wanted.startsWith('.');
        expect(matchesFilePattern(file, wanted)).toBe(!hidden && new RegExp(`^${source}$`, 'su').test(file));
      }),
      { numRuns: 10_000 },
    );
  });

  it.each([
    ['*', 'a.job', true],
    ['*', '.hidden', false],
    ['.*', '.hidden', true],
    ['?hidden', '.hidden', false],
    ['*.job', 'a.job', true],
    ['*.job', 'a.job.keep', false],
    ['*.job', 'a.JOB', false],
    ['*.job', '.job', false],
    ['core.?', 'core.1', true],
    ['core.?', 'core.12', false],
    ['core.?', 'core.', false],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(matchesFilePattern(name, pattern)).toBe(expected);
  });

  it('takes no longer on a name made to slow it down', () => {
    const startedAt = performance.now();
    expect(matchesFilePattern('a'.repeat(255), `${'*a'.repeat(100)}b`)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(200);
  });
});
