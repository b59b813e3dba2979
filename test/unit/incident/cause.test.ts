import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findFolds, type Standing } from '../../../src/incident/index.ts';
import { servicesOf } from '../../integration/support/intake.ts';

const RULES = { within: ['env'], windowSeconds: 600, storm: { incidents: 5, withinSeconds: 60 } };
const NOW = new Date('2026-11-01T10:00:00Z');
const SERVICES = servicesOf(`services:
  - {name: web, depends_on: [checkout]}
  - {name: checkout, depends_on: [db, cache]}
  - {name: search, depends_on: [db]}
  - {name: db, runs_on: [node-1]}
  - {name: cache}
  - {name: node-1}
`);
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000);
const standing = (id: number, change: Partial<Standing> = {}): Standing => ({
  id,
  state: 'received',
  service: null,
  labels: { env: 'prod' },
  startedAt: ago(10),
  openedAt: ago(10),
  keptApart: false,
  held: false,
  acted: false,
  children: 0,
  lastChildAt: null,
  ...change,
});
const folds = (all: readonly Standing[]) => findFolds(all, SERVICES, RULES, NOW);
const pairs = (all: readonly Standing[]) => folds(all).map(({ child, parent }) => [child, parent]);

describe('by what services depend on', () => {
  it('folds under the service in trouble, whichever came first, and says the chain', () => {
    const web = standing(1, { service: 'web' });
    const db = standing(2, { service: 'db', startedAt: ago(5) });
    expect(folds([web, db])).toEqual([
      { child: 1, parent: 2, because: 'web depends on checkout depends on db, and INC-2 is about db' },
    ]);
    expect(pairs([standing(1, { service: 'db' }), standing(2, { service: 'search' })])).toEqual([[2, 1]]);
  });

  it('follows the chain to its end, and leaves one level', () => {
    const all = ['web', 'checkout', 'db', 'node-1'].map((service, index) => standing(index + 1, { service }));
    expect(pairs(all)).toEqual([
      [1, 4],
      [2, 4],
      [3, 4],
    ]);
  });

  it.each<[string, Partial<Standing>, Partial<Standing>]>([
    ['the same service', { service: 'db' }, { service: 'db' }],
    ['services that have nothing to do with each other', { service: 'search' }, { service: 'cache' }],
    ['no service', {}, { service: 'db' }],
    ['another environment', { service: 'web', labels: { env: 'staging' } }, { service: 'db' }],
    ['one that began long before', { service: 'web' }, { service: 'db', startedAt: ago(5000) }],
    ['one that a person took out', { service: 'web', keptApart: true }, { service: 'db' }],
    ['one that people are asked about', { service: 'web', state: 'awaiting_approval' }, { service: 'db' }],
    ['one that is being acted on', { service: 'web', state: 'acting' }, { service: 'db' }],
    ['one that a person has', { service: 'web', state: 'escalated' }, { service: 'db' }],
    ['one for which something was sent', { service: 'web', acted: true }, { service: 'db' }],
    ['one whose cause is held', { service: 'web' }, { service: 'db', held: true }],
  ])('leaves %s alone', (_what, one, other) => {
    expect(folds([standing(1, one), standing(2, other)])).toEqual([]);
  });

  it('still folds under an old cause while others come under it, and no longer than that', () => {
    const old = { service: 'db', startedAt: ago(5000), openedAt: ago(5000), children: 2 };
    const web = standing(2, { service: 'web' });
    expect(pairs([standing(1, { ...old, lastChildAt: ago(500) }), web])).toEqual([[2, 1]]);
    expect(pairs([standing(1, { ...old, lastChildAt: ago(700) }), web])).toEqual([]);
  });
});

describe('a storm', () => {
  const many = (count: number, change: Partial<Standing> = {}) =>
    Array.from({ length: count }, (_, index) => standing(index + 1, change));

  it('is as many as the rules say within their time, and folds under what began first', () => {
    const first = { ...standing(9), startedAt: ago(50) };
    expect(folds(many(4))).toEqual([]);
    expect(pairs([...many(4), first])).toEqual([1, 2, 3, 4].map((id) => [id, 9]));
    expect(folds([...many(4), first])[0]?.because).toBe(
      'one of 5 incidents within 60 s; suspected cause: INC-9, which began first',
    );
    expect(folds(many(4).concat(standing(9, { openedAt: ago(61) })))).toEqual([]);
  });

  it('counts each environment by itself', () => {
    expect(folds([...many(4), standing(9, { labels: { env: 'staging' } })])).toEqual([]);
  });

  it('suspects what most of the others depend on before what began first', () => {
    const all = [
      ...many(3),
      standing(4, { service: 'web', startedAt: ago(55) }),
      standing(5, { service: 'search' }),
      standing(6, { service: 'db' }),
    ];
    expect(pairs(all)).toEqual([4, 5, 1, 2, 3].map((id) => [id, 6]));
  });

  it('takes in what comes while it goes on, and nothing any more once it is calm', () => {
    const parent = standing(1, { openedAt: ago(300), startedAt: ago(300), children: 4, lastChildAt: ago(20) });
    expect(pairs([parent, standing(7)])).toEqual([[7, 1]]);
    expect(folds([{ ...parent, lastChildAt: ago(61) }, standing(7)])).toEqual([]);
  });

  it('does not wait for what is held', () => {
    const held = standing(9, { held: true, startedAt: ago(59) });
    expect(pairs([...many(5), held])).toEqual([2, 3, 4, 5, 9].map((id) => [id, 1]));
    expect(folds(many(6, { held: true }))).toEqual([]);
  });

  it('leaves alone what is acted on, or was taken out', () => {
    const all = [...many(5), standing(6, { state: 'acting' }), standing(7, { keptApart: true })];
    expect(pairs(all)).toEqual([2, 3, 4, 5].map((id) => [id, 1]));
  });
});

it('whatever stands: a fold has one level, and what may not be folded is not', () => {
  const any = fc.record({
    state: fc.constantFrom('received' as const, 'planned' as const, 'acting' as const, 'escalated' as const),
    service: fc.constantFrom(null, ...SERVICES.all.map(({ name }) => name)),
    labels: fc.constantFrom({ env: 'prod' }, { env: 'staging' }),
    startedAt: fc.integer({ min: 0, max: 1000 }).map(ago),
    openedAt: fc.integer({ min: 0, max: 100 }).map(ago),
    keptApart: fc.boolean(),
    held: fc.boolean(),
    acted: fc.boolean(),
    children: fc.constantFrom(0, 0, 3, 9),
    lastChildAt: fc.constantFrom(null, ago(10), ago(500)),
  });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 15 }), (given) => {
      const all = given.map((one, index) => ({ ...one, id: index + 1 }));
      const found = folds(all);
      const children = new Set(found.map(({ child }) => child));
      expect(children.size).toBe(found.length);
      for (const { child, parent } of found) {
        const one = all[child - 1] as Standing;
        expect(children.has(parent)).toBe(false);
        expect(one.keptApart || one.acted || one.state === 'acting' || one.state === 'escalated').toBe(false);
        expect(all[parent - 1]?.held).toBe(false);
        expect(one.labels).toEqual(all[parent - 1]?.labels);
      }
    }),
  );
});
