import { describe, expect, it } from 'vitest';
import { contradictionsOf, describeContradictions } from '../../../src/rag/index.ts';

const saying = (path: string, tool: string) => ({
  path,
  match: ['alertname="Down"'],
  remedies: [{ name: 'steps', when: [], steps: [{ tool, with: {}, why: 'w' }] }],
});
const ALERTS = [{ labels: { alertname: 'Down' } }];

describe('contradictionsOf', () => {
  it('names both, and nobody where all say the same', () => {
    const found = contradictionsOf([saying('b.md', 'a.x'), saying('a.md', 'a.y'), saying('c.md', 'a.x')], ALERTS);
    expect([...found].sort()).toEqual([
      ['a.md', ['b.md', 'c.md']],
      ['b.md', ['a.md']],
      ['c.md', ['a.md']],
    ]);
    expect(describeContradictions(found)).toHaveLength(2);
    expect(contradictionsOf([saying('a.md', 'a.x'), saying('b.md', 'a.x')], ALERTS).size).toBe(0);
  });

  it('does not count a remedy that the labels do not fill: it is never begun', () => {
    const other = {
      path: 'b.md',
      match: ['alertname="Down"'],
      remedies: [{ name: 'node', when: [], steps: [{ tool: 'a.y', with: { node: '{{ labels.node }}' }, why: 'w' }] }],
    };
    expect(contradictionsOf([saying('a.md', 'a.x'), other], ALERTS).size).toBe(0);
    expect(contradictionsOf([saying('a.md', 'a.x'), other], [{ labels: { alertname: 'Down', node: 'n1' } }]).size).toBe(
      2,
    );
  });

  it('marks each of thousands, and names a few', () => {
    const flood = Array.from({ length: 5000 }, (_, n) => saying(`${String(n).padStart(4, '0')}.md`, `a.t${n % 4000}`));
    const found = contradictionsOf(flood, ALERTS);
    const lines = describeContradictions(found);
    expect(found.size).toBe(5000);
    expect(
      [...found].every(([path, others]) => others.length > 0 && others.length <= 10 && !others.includes(path)),
    ).toBe(true);
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toMatch(/^and \d+ more$/);
  });
});
