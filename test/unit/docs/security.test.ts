/** The scorecard of docs/security.md: complete, with proofs that are there and attacks that are counted. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCases } from '../../attacks/case.ts';

const ROOT = join(import.meta.dirname, '../../..');
const rows = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| [CT]\d/.test(line))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')))
  .map(([id = '', ...cells]) => ({ id, cells, last: cells.at(-1) ?? '' }));
const controls = rows.filter(({ id }) => id.startsWith('C'));
const gates = rows.filter(({ id }) => id.startsWith('T'));
const linksOf = (text: string) =>
  [...text.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g)].map(([, words = '', path = '']) => ({ words, path }));

describe('the scorecard', () => {
  it('has every control and every gate once', () => {
    const numbered = (letter: string, count: number, digits: number) =>
      Array.from({ length: count }, (_, index) => `${letter}${String(index + 1).padStart(digits, '0')}`);
    expect(controls.map(({ id }) => id)).toEqual(numbered('C', 27, 2));
    expect(gates.map(({ id }) => id).filter((id) => id !== 'T1b')).toEqual(numbered('T', 14, 1));
  });

  it.each(controls)('$id names code that is there, and what proves it', ({ cells: [, code = '', proof = ''] }) => {
    const sources = linksOf(code);
    expect(sources.length).toBeGreaterThan(0);
    for (const { words, path } of sources) {
      expect(path, path).toMatch(/^src\//);
      expect(path.endsWith(`/${words}`) && existsSync(join(ROOT, path)), path).toBe(true);
    }
    expect(linksOf(proof).filter(({ path }) => path.startsWith('test/')).length).toBeGreaterThan(0);
  });

  it.each(rows)('$id names tests by what they are called', ({ cells }) => {
    for (const { words, path } of linksOf(cells.join(' ')).filter((link) => link.path.endsWith('.test.ts')))
      expect(readFileSync(join(ROOT, path), 'utf8'), `${path}: ${words}`).toContain(words);
  });

  it.each(gates)('$id says what runs it', ({ last }) => {
    expect(last).toMatch(/`npm run [a-z]+|\]\(\.\.\/test\//);
  });

  it('counts the attacks that expect each control', () => {
    const cases = readCases(join(ROOT, 'test/attacks/cases.jsonl'));
    for (const { id, last } of controls) {
      const count = cases.filter((one) => one.controls.includes(id)).length;
      expect(`${id}: ${last}`).toBe(`${id}: ${count === 0 ? '–' : count}`);
    }
  });
});
