import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalProcess, isListedProcess, processNameSchema } from '../../../src/mcp-tools/supervisor/settings.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const part = fc
  .tuple(fc.constantFrom(...ALPHABET), fc.string({ unit: fc.constantFrom(...ALPHABET, '_', '.', '-'), maxLength: 62 }))
  .map(([first, rest]) => first + rest)
  .filter((name) => name !== 'all');
/** As `unit: 'binary'` of fast-check, which takes seconds to set up. */
const anyText = fc.array(fc.nat({ max: 0x10_ffff }), { maxLength: 8 }).map((codes) => String.fromCodePoint(...codes));
const url = 'http://127.0.0.1:9001';

describe('process names', () => {
  it('takes name and group:name', () => {
    fc.assert(
      fc.property(part, fc.option(part), (name, group) => {
        expect(processNameSchema.safeParse(group === null ? name : `${group}:${name}`).success).toBe(true);
      }),
    );
  });

  it('takes nothing that supervisord could read as more than one process', () => {
    const unit = fc.constantFrom('a', 'l', '*', ':', ' ', '.', '-', '/', '\n', '\0', '?', '[', 'é', '１');
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit, maxLength: 8 }), anyText), (text) => {
        if (!processNameSchema.safeParse(text).success) return;
        // How supervisord splits a name: at the first colon; an empty or starred second part means the whole group.
        const [group = '', process = group, ...more] = text.split(':');
        expect([group, process]).not.toContain('');
        expect([group, process]).not.toContain('all');
        expect(more).toEqual([]);
        expect(text).toMatch(/^[\w.:-]+$/);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    'all',
    'all:all',
    'shop:all',
    'all:web',
    'shop:*',
    'shop:',
    ':web',
    '*',
    '',
    'a:b:c',
    '.hidden',
    '-web',
    'web ',
    'web\n',
    'wéb',
    'a'.repeat(64),
  ])('refuses %j', (name) => {
    expect(processNameSchema.safeParse(name).success).toBe(false);
  });

  it.each([1, null, ['web'], true])('coerces nothing: %j', (value) => {
    expect(processNameSchema.safeParse(value).success).toBe(false);
  });

  it('knows one process by one spelling', () => {
    fc.assert(
      fc.property(part, part, (a, b) => {
        expect(canonicalProcess(`${a}:${a}`)).toBe(a);
        expect(canonicalProcess(a)).toBe(a);
        expect(canonicalProcess(`${a}:${b}`)).toBe(a === b ? a : `${a}:${b}`);
        expect(isListedProcess(`${a}:${a}`, { url, processes: [a] })).toBe(true);
        expect(isListedProcess(a, { url, processes: [`${a}:${a}`] })).toBe(true);
        expect(isListedProcess(`${a}:${b}`, { url, processes: [a, b] })).toBe(a === b);
        expect(isListedProcess(a, { url })).toBe(true);
      }),
    );
  });
});
