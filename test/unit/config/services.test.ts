import { describe, expect, it } from 'vitest';
import { parseConfig, type Services } from '../../../src/config/index.ts';
import type { NightshiftError, Problem } from '../../../src/errors.ts';

const PEOPLE = `people:
  - {name: ana, role: approver}
  - {name: ben, role: admin}
  - {name: vic, role: viewer}
`;

function parse(services: string | null, { file = PEOPLE, path = 'nightshift.yaml' } = {}) {
  const asked: string[] = [];
  const config = parseConfig({
    env: {},
    directory: '/srv',
    toolsetSettings: {},
    file: { path, text: file },
    readFile: (one) => {
      asked.push(one);
      return services;
    },
  });
  return { config, asked };
}

const read = (services: string): Services => parse(services).config.services;

function problemsIn(services: string | null, options?: { file?: string }): readonly Problem[] {
  try {
    parse(services, options);
  } catch (error) {
    return (error as NightshiftError).problems;
  }
  throw new Error('it was accepted');
}

const STACK = `services:
  - name: web
    match: ['service="web"', 'env="prod"']
    team: shop
    slack_channel: C0SHOP
    approvers: [ana, ben]
    escalate_to: the shop on-call
    depends_on: [orders, cache]
  - name: web-elsewhere
    match: ['service="web"']
  - {name: orders, depends_on: [db]}
  - {name: cache, runs_on: [host-1]}
  - {name: db, runs_on: [host-1]}
  - {name: host-1, match: ['instance=~"host-1(:.*)?"']}
`;

describe('services.yaml', () => {
  it('describes each service, and says nothing where it is silent', () => {
    const [web, , orders] = read(STACK).all;
    expect(web).toMatchObject({
      name: 'web',
      team: 'shop',
      slackChannel: 'C0SHOP',
      approvers: ['ana', 'ben'],
      escalateTo: 'the shop on-call',
      dependsOn: ['orders', 'cache'],
      runsOn: [],
    });
    expect(orders).toEqual({
      name: 'orders',
      match: [{ label: 'service', operator: '=', value: 'orders' }],
      team: null,
      slackChannel: null,
      approvers: [],
      escalateTo: null,
      dependsOn: ['db'],
      runsOn: [],
    });
    expect(Object.isFrozen(read(STACK).all)).toBe(true);
  });

  it.each([
    [{ service: 'web', env: 'prod' }, 'web'],
    [{ service: 'web' }, 'web-elsewhere'],
    [{ service: 'orders', env: 'prod' }, 'orders'],
    [{ instance: 'host-1:9100' }, 'host-1'],
    [{ service: 'other' }, null],
    [{}, null],
  ])('says whose labels %j are: the first that matches', (labels, expected) => {
    expect(read(STACK).serviceOf(labels)?.name ?? null).toBe(expected);
  });

  it.each([
    ['web', 'host-1', ['web', 'cache', 'host-1']],
    ['web', 'db', ['web', 'orders', 'db']],
    ['web', 'orders', ['web', 'orders']],
    ['web', 'web', ['web']],
    ['host-1', 'web', null],
    ['web', 'nothing', null],
    ['nothing', 'nothing', null],
  ])('finds the shortest way from %s to %s over both kinds of dependency', (from, to, expected) => {
    expect(read(STACK).pathBetween(from, to)).toEqual(expected);
  });

  it('stands beside nightshift.yaml, or where that says', () => {
    expect(parse(null, { path: '/etc/nightshift/nightshift.yaml' }).asked).toEqual(['/etc/nightshift/services.yaml']);
    expect(parse(null).config.services.all).toEqual([]);
    expect(parse(STACK, { file: `${PEOPLE}services: conf/mine.yaml` }).asked).toEqual(['/srv/conf/mine.yaml']);
    expect(problemsIn(null, { file: 'services: conf/mine.yaml' })).toMatchObject([
      { field: 'services', message: 'there is no such file' },
    ]);
    expect(parse('').config.services.all).toEqual([]);
  });

  it('reports every mistake at once, each with its line', () => {
    const problems = problemsIn(`services:
  - name: web
    match: ['env==="x"']
    approvers: [ana, vic, zoe]
    depends_on: [nothing, orders]
    dependsOn: [orders]
  - name: orders
    runs_on: [db]
    slack_channel: '#shop'
  - name: db
    depends_on: [orders]
  - name: web
  - name: a b
    match: []
`);
    expect(problems.map(({ at, field }) => `${at?.line} ${field}`).sort()).toEqual([
      '12 services.3.name',
      '13 services.4.name',
      '14 services.4.match',
      '3 services.0.match.0',
      '4 services.0.approvers.1',
      '4 services.0.approvers.2',
      '5 services.0.depends_on.0',
      '6 services.0.dependsOn',
      '7 services.1.name',
      '9 services.1.slack_channel',
    ]);
    expect(problems.every(({ fix }) => fix)).toBe(true);
    const at = (field: string) => problems.find((one) => one.field === field)?.message;
    expect(at('services.1.name')).toBe('depends on itself: orders → db → orders');
    expect(at('services.3.name')).toBe('stands here twice');
    expect(at('services.0.approvers.1')).toMatch(/may approve/);
  });

  it('says where it is no YAML, and follows no aliases', () => {
    expect(problemsIn('services:\n  - {name: web\n').map(({ at }) => at)).toEqual([
      { file: '/srv/services.yaml', line: 3, column: 1 },
    ]);
    expect(problemsIn('services: &a []\nother: *a\n')).toMatchObject([{ message: 'uses a YAML alias (*name)' }]);
    expect(problemsIn('services: {}')).toMatchObject([{ at: { line: 1, column: 1 }, field: 'services' }]);
    expect(problemsIn('- web').length).toBe(1);
  });

  it('tells a circle of one, and each circle once', () => {
    const circles = problemsIn(`services:
  - {name: a, depends_on: [b]}
  - {name: b, depends_on: [a]}
  - {name: c, runs_on: [c]}
  - {name: d, depends_on: [a]}
`).map(({ message }) => message);
    expect(circles).toEqual(['depends on itself: a → b → a', 'depends on itself: c → c']);
  });
});
