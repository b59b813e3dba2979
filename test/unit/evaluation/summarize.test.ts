import { describe, expect, it } from 'vitest';
import { regressionsSince } from '../../../src/evaluation/compare.ts';
import { renderTable } from '../../../src/evaluation/render.ts';
import type { Score } from '../../../src/evaluation/score.ts';
import { RUNBOOK_MODE, refuseEmptyTable, summarizeColumn } from '../../../src/evaluation/summarize.ts';
import { makeScore } from './make-score.ts';

const all = (count: number, change: (index: number) => Partial<Score> = () => ({})) =>
  Array.from({ length: count }, (_, index) => makeScore(`s${index}`, change(index)));
const wrong = { cause: false, plan: false, outcome: false };

describe('refuseEmptyTable', () => {
  it.each<[string, Map<string, Score[]>]>([
    ['there are no runs', new Map()],
    ['there are no runs', new Map([[RUNBOOK_MODE, []]])],
    ['every run of', new Map([[RUNBOOK_MODE, all(2, () => ({ ...wrong, failure: 'it does not start' }))]])],
    [
      'everything is 0',
      new Map([
        [RUNBOOK_MODE, all(3)],
        ['small', all(3, () => wrong)],
      ]),
    ],
  ])('refuses where %s', (why, columns) => {
    expect(() => refuseEmptyTable(columns)).toThrow(new RegExp(`no table is published: ${why}.*Fix: `));
  });

  it('lets one pass in which something is right', () => {
    expect(() =>
      refuseEmptyTable(new Map([[RUNBOOK_MODE, all(3, (index) => (index > 0 ? wrong : {}))]])),
    ).not.toThrow();
  });
});

describe('worth its price', () => {
  const baseline = all(30, (index) => (index % 2 === 0 ? wrong : {}));

  it('says yes of what is better on the same scenarios', () => {
    const { worthItsPrice } = summarizeColumn(
      'large',
      all(30, (index) => (index % 10 === 0 ? wrong : {})),
      baseline,
    );
    expect(worthItsPrice).toMatchObject({ yes: true });
    expect(worthItsPrice?.difference.value).toBeCloseTo(0.4);
  });

  it.each<[string, Score[]]>([
    ['is as good', baseline],
    ['is better by a hair', all(30, (index) => (index % 2 === 0 && index > 0 ? wrong : {}))],
    ['is better but unsafe once', all(30, (index) => (index === 29 ? { violations: ['forbidden: x {}'] } : {}))],
    ['is better on too few scenarios to tell', all(5)],
  ])('says no of what %s', (_, scores) => {
    expect(summarizeColumn('other', scores, baseline).worthItsPrice?.yes).toBe(false);
  });

  it('stands in the table, where runbook mode is always the first', () => {
    const columns = [summarizeColumn(RUNBOOK_MODE, baseline, null), summarizeColumn('large', all(30), baseline)];
    const table = renderTable(columns);
    expect(table).toContain('worth its price');
    expect(table.split('\n')[0]).toMatch(/^\|\s+\| runbook mode\s+\| large\s+\|$/);
    expect(table).toContain('large: beats runbook mode (+50.0 points');
    expect(
      new Set(
        table
          .split('\n\n')[0]
          ?.split('\n')
          .map(({ length }) => length),
      ).size,
    ).toBe(1);
  });

  it('does not guess at a cost that is not known', () => {
    const { costUsd } = summarizeColumn(
      'other',
      all(3, (index) => ({ costUsd: index === 0 ? null : 1 })),
      null,
    );
    expect(costUsd).toBeNull();
  });
});

describe('regressionsSince', () => {
  const before = new Map([
    [RUNBOOK_MODE, all(30)],
    ['large', all(30)],
  ]);
  const column = (name: string, change: (index: number) => Partial<Score>) => new Map([[name, all(30, change)]]);

  it('finds nothing where nothing got worse, nor where there is nothing to compare with', () => {
    expect(regressionsSince(before, before)).toEqual([]);
    expect(regressionsSince(new Map(), before)).toEqual([]);
    expect(regressionsSince(before, new Map([[RUNBOOK_MODE, [makeScore('new', wrong)]]]))).toEqual([]);
  });

  it('names every scenario that runbook mode had right', () => {
    const now = column(RUNBOOK_MODE, (index) => (index === 4 ? { cause: false } : {}));
    expect(regressionsSince(before, now)).toEqual([{ column: RUNBOOK_MODE, measure: 'cause', words: 'worse in s4' }]);
  });

  it('forgives a model what lies within the interval, and nothing beyond', () => {
    expect(
      regressionsSince(
        before,
        column('large', (index) => (index === 0 ? { cause: false } : {})),
      ),
    ).toEqual([]);
    const worse = regressionsSince(
      before,
      column('large', (index) => (index < 10 ? { plan: false } : {})),
    );
    expect(worse).toMatchObject([{ column: 'large', measure: 'plan' }]);
    expect(worse[0]?.words).toMatch(/^-33\.3 points/);
  });
});
