import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { NightshiftError, Problem } from '../../../src/errors.ts';
import { BUILT_IN_NAMES } from '../../../src/policy/built-in-rules.ts';
import { combinePolicy, loadPolicy, parsePolicy } from '../../../src/policy/index.ts';

const FULL = `
windows:
  - {name: nights, days: [mon, fri], from: "22:05", to: "06:30", timezone: Europe/Berlin}
  - {name: always, from: "00:00", to: "23:59"}
  - {name: freeze, from: 2026-12-20T00:00:00Z, to: 2027-01-03T01:00:00+01:00}
rules:
  - name: a-rule
    tools: [supervisor.*, host.purge]
    risks: [safe, destructive]
    match: ['env="prod"']
    call: ['process=~"web-.*"']
    during: [nights]
    outside: [freeze]
    decision: ask
    approvers: [ben, ana]
    quorum: 2
    expirySeconds: 600
    reason: why
  - {name: earned, record: {runs: 20, healed: 0.8}, decision: allow, reason: why}
risks:
  - {name: lower, tool: host.purge, target: 'shop:directory spool', risk: safe, limit: {runs: 2, withinSeconds: 60}, reason: why}
  - {name: raise, tool: host.purge, target: 'shop:directory x', risk: critical, reason: why}
limits:
  - {name: rate, tools: [host.*], match: ['env="prod"'], call: ['a="b"'], per: service, runs: 3, withinSeconds: 604800, decision: deny, reason: why}
  - {name: part, share: 0.5, withinSeconds: 1, reason: why}
secrets:
  - {name: hand-on, tool: vault.revoke, argument: token, reason: why}
`;

/** The file and the field of a mistake. */
function placed({ at, field }: Problem): string {
  expect(at?.line).toBeGreaterThan(0);
  return field === '(whole)' ? `${at?.file}` : `${at?.file}.${field}`;
}

/** Every mistake as `field | message | value | fix`. */
function mistakes(text: string): string[] {
  return combinePolicy([parsePolicy('p', text)]).problems.map((problem) =>
    [placed(problem), problem.message, problem.value ?? '-', problem.fix ?? '-'].join(' | '),
  );
}

describe('parsePolicy and combinePolicy', () => {
  it('read everything that a file may say', () => {
    const { policy, problems } = combinePolicy([parsePolicy('p.yaml', FULL)]);
    expect(problems).toEqual([]);
    const silent = { tools: [], matchers: [], callMatchers: [] };
    expect(policy).toEqual({
      windows: [
        {
          name: 'nights',
          kind: 'weekly',
          days: ['mon', 'fri'],
          fromMinute: 22 * 60 + 5,
          toMinute: 6 * 60 + 30,
          timezone: 'Europe/Berlin',
        },
        {
          name: 'always',
          kind: 'weekly',
          days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
          fromMinute: 0,
          toMinute: 23 * 60 + 59,
          timezone: 'UTC',
        },
        {
          name: 'freeze',
          kind: 'dates',
          from: new Date('2026-12-20T00:00:00Z'),
          to: new Date('2027-01-03T00:00:00Z'),
        },
      ],
      rules: [
        {
          name: 'a-rule',
          tools: ['supervisor.*', 'host.purge'],
          risks: ['safe', 'destructive'],
          matchers: [{ label: 'env', operator: '=', value: 'prod' }],
          callMatchers: [expect.objectContaining({ label: 'process', operator: '=~', value: 'web-.*' })],
          during: ['nights'],
          outside: ['freeze'],
          record: null,
          decision: 'ask',
          approvers: ['ben', 'ana'],
          quorum: 2,
          expirySeconds: 600,
          reason: 'why',
        },
        {
          ...silent,
          name: 'earned',
          risks: [],
          during: [],
          outside: [],
          record: { runs: 20, healed: 0.8 },
          decision: 'allow',
          approvers: null,
          quorum: null,
          expirySeconds: null,
          reason: 'why',
        },
      ],
      overrides: [
        {
          name: 'lower',
          tool: 'host.purge',
          target: 'shop:directory spool',
          risk: 'safe',
          limit: { runs: 2, withinSeconds: 60 },
          reason: 'why',
        },
        {
          name: 'raise',
          tool: 'host.purge',
          target: 'shop:directory x',
          risk: 'critical',
          limit: null,
          reason: 'why',
        },
      ],
      limits: [
        {
          name: 'rate',
          tools: ['host.*'],
          matchers: [{ label: 'env', operator: '=', value: 'prod' }],
          callMatchers: [{ label: 'a', operator: '=', value: 'b' }],
          per: 'service',
          runs: 3,
          share: null,
          withinSeconds: 604_800,
          decision: 'deny',
          reason: 'why',
        },
        {
          ...silent,
          name: 'part',
          per: 'all',
          runs: null,
          share: 0.5,
          withinSeconds: 1,
          decision: 'ask',
          reason: 'why',
        },
      ],
      secrets: [{ name: 'hand-on', tool: 'vault.revoke', argument: 'token', reason: 'why' }],
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      origins: new Map(
        ['nights', 'always', 'freeze', 'a-rule', 'earned', 'lower', 'raise', 'rate', 'part', 'hand-on'].map((name) => [
          name,
          'p.yaml',
        ]),
      ),
    });
  });

  it('shows what is wrong with a line of secrets, which holds none', () => {
    expect(mistakes("secrets: [{name: a, tool: 'vault.*', argument: token, reason: why}]").join()).toContain(
      '"vault.*"',
    );
  });

  it('take a file that says nothing, and none at all', () => {
    const none = { rules: [], windows: [], overrides: [], limits: [], secrets: [] };
    expect(combinePolicy([parsePolicy('p', '{}')])).toMatchObject({ policy: none, problems: [] });
    expect(combinePolicy([])).toMatchObject({ policy: none, problems: [] });
  });

  it('refuse what is no policy at all', () => {
    const fix = 'write it as docs/policy.md does';
    expect(mistakes('')).toEqual([`p | Invalid input: expected object, received null | null | ${fix}`]);
    expect(mistakes('- a')).toEqual([`p | Invalid input: expected object, received array | ["a"] | ${fix}`]);
    expect(mistakes('rules:')).toEqual([`p.rules | Invalid input: expected array, received null | null | ${fix}`]);
    expect(mistakes('rules: [null]')).toEqual([
      `p.rules.0 | Invalid input: expected object, received null | null | ${fix}`,
    ]);
    expect(mistakes('windows: [x]\nrisks: [1]\nlimits: [[]]')).toEqual([
      `p.windows.0 | Invalid input: expected object, received string | "x" | ${fix}`,
      `p.risks.0 | Invalid input: expected object, received number | 1 | ${fix}`,
      expect.stringContaining('p.limits.0 | Invalid input: expected object, received array | [] | '),
      expect.anything(),
    ]);
    expect(mistakes('limits: [x]')).toEqual([
      `p.limits.0 | Invalid input: expected object, received string | "x" | ${fix}`,
    ]);
    expect(mistakes('ruels: []')).toEqual(['p.ruels | is not a known setting | - | write rules, or remove it']);
    expect(mistakes('rules: &a []\nlimits: *a')).toEqual(['p | uses a YAML alias (*name) | *a | write the value out']);
    expect(mistakes('rules: [')).toEqual([
      'p | is not YAML: Flow sequence in block collection must be sufficiently indented and end with a ] | - | correct the YAML there',
    ]);
    expect(mistakes('rules: []\nrules: []')).toEqual([expect.stringContaining('Map keys must be unique')]);
  });

  it.each<[string, string[]]>([
    ['', []],
    ['name: A', ['name | is no name | "A" | use lower-case letters, digits and hyphens, at most 64']],
    [`name: ${'a'.repeat(64)}`, []],
    [`name: ${'a'.repeat(65)}`, [expect.stringMatching(/^name \| is no name/) as string]],
    ['name: x-', []],
    ['name: x y', [expect.stringMatching(/^name \| is no name/) as string]],
    [
      'name: nothing-allows',
      ['name | is the name of a rule that is always there | "nothing-allows" | give it a name of its own'],
    ],
    ['tools: [restart]', ['tools.0 | is no tool | "restart" | write toolset.verb or toolset.*']],
    ['tools: [a.b.c, a.*x, "*.b", "a."]', ['tools.0', 'tools.1', 'tools.2', 'tools.3']],
    ['tools: [kube-2.roll_out, A.*]', []],
    [
      'risks: [harmless]',
      [
        `risks.0 | Invalid option: expected one of "read"|"safe"|"destructive"|"critical"|"forbidden" | "harmless" | write it as docs/policy.md does`,
      ],
    ],
    [
      'match: [env]',
      [
        `match.0 | matcher "env": cannot read a matcher at "env" | "env" | write matchers as Alertmanager does, for example 'env="prod"'`,
      ],
    ],
    [
      'call: [env]',
      [
        `call.0 | matcher "env": cannot read a matcher at "env" | "env" | write matchers as Alertmanager does, for example 'env="prod"'`,
      ],
    ],
    [
      'decision: perhaps',
      ['decision | Invalid option: expected one of "allow"|"ask"|"deny" | "perhaps" | write it as docs/policy.md does'],
    ],
    [
      'reason: ""',
      ['reason | Too small: expected string to have >=1 characters | "" | say why, for whoever reads the card'],
    ],
    ['during: w', ['during | Invalid input: expected array, received string | "w" | list names of windows:']],
    ['outside: [1]', ['outside.0 | Invalid input: expected string, received number | 1 | list names of windows:']],
    [
      'during: [nowhere]',
      ['during.0 | there is no such window | "nowhere" | correct the name, or add the window to windows:'],
    ],
    [
      'outside: [w, elsewhere]',
      ['outside.1 | there is no such window | "elsewhere" | correct the name, or add the window to windows:'],
    ],
    ['during: [w]', []],
    ['extra: 1', ['extra | is not a known setting | - | remove it or correct its spelling']],
    [
      'approvers: []',
      ['approvers | Too small: expected array to have >=1 items | [] | list names of people:, each once'],
    ],
    ['approvers: [""]', ['approvers.0']],
    [
      'approvers: [ana, ben, ana]',
      ['approvers | names somebody twice | ["ana","ben","ana"] | list names of people:, each once'],
    ],
    ['quorum: 0', ['quorum | Too small: expected number to be >=1 | 0 | use 1 to 5']],
    ['quorum: 1', []],
    ['quorum: 5', []],
    ['quorum: 6', ['quorum | Too big: expected number to be <=5 | 6 | use 1 to 5']],
    ['quorum: 1.5', ['quorum']],
    ['{approvers: [ana, ben], quorum: 2}', []],
    [
      '{approvers: [ana, ben], quorum: 3}',
      ['quorum | is more than the approvers that are named | 3 | name more of them, or ask for fewer'],
    ],
    [
      '{approvers: ana, quorum: 3}',
      ['approvers | Invalid input: expected array, received string | "ana" | list names of people:, each once'],
    ],
    ['expirySeconds: 59', ['expirySeconds | Too small: expected number to be >=60 | 59 | use 60 to 3600']],
    ['expirySeconds: 60', []],
    ['expirySeconds: 3600', []],
    ['expirySeconds: 3601', ['expirySeconds | Too big: expected number to be <=3600 | 3601 | use 60 to 3600']],
    [
      '{decision: allow, approvers: [a], quorum: 1, expirySeconds: 60}',
      [
        'approvers | belongs to a rule with decision: ask | ["a"] | remove it, or write decision: ask',
        'quorum | belongs to a rule with decision: ask | 1 | remove it, or write decision: ask',
        'expirySeconds | belongs to a rule with decision: ask | 60 | remove it, or write decision: ask',
      ],
    ],
    ['{decision: deny, quorum: 1}', ['quorum']],
    [
      '{decision: ask, record: {runs: 1, healed: 0}}',
      ['record | belongs to a rule with decision: allow | {"runs":1,"healed":0} | remove it, or write decision: allow'],
    ],
    ['{decision: deny, record: {runs: 1, healed: 0}}', ['record']],
    ['{decision: allow, record: {runs: 1, healed: 0}}', []],
    ['{decision: allow, record: {runs: 1000, healed: 1}}', []],
    [
      '{decision: allow, record: {runs: 0, healed: -0.1}}',
      [
        'record.runs | Too small: expected number to be >=1 | 0 | use 1 to 1000',
        'record.healed | Too small: expected number to be >=0 | -0.1 | use a number from 0 to 1',
      ],
    ],
    ['{decision: allow, record: {runs: 1001, healed: 1.1}}', ['record.runs', 'record.healed']],
    ['{decision: allow, record: {runs: 1.5}}', ['record.runs', 'record.healed']],
    ['{decision: allow, record: {runs: 1, healed: 1, more: 1}}', ['record.more']],
  ])('read the rule %s', (change, expected) => {
    check('rules', { name: 'r', decision: 'ask', reason: 'why' }, change, expected);
  });

  it.each<[string, string[]]>([
    ['', []],
    [
      'from: "24:00"',
      [
        'from | is neither a time of day nor a date with its zone | "24:00" | write a time of day as "22:00", or a date as 2026-12-20T00:00:00Z',
      ],
    ],
    [
      'to: "9:00"',
      [
        'to | is neither a time of day nor a date with its zone | "9:00" | write a time of day as "06:00", or a date as 2027-01-03T00:00:00Z',
      ],
    ],
    ['{from: "x09:00", to: "09:00x"}', ['from', 'to']],
    ['{from: "09:60", to: "19:59"}', ['from']],
    ['{from: "23:59", to: "00:00"}', []],
    [
      'from: 900',
      [
        'from | Invalid input: expected string, received number | 900 | write a time of day as "22:00", or a date as 2026-12-20T00:00:00Z',
      ],
    ],
    ['from: 2026-12-20', ['from']],
    ['{from: 2026-12-20T00:00:00, to: 2026-12-21T00:00:00Z}', ['from']],
    [
      'to: 2026-12-20T00:00:00Z',
      [
        'to | is a date where from is a time of day, or the other way round | "2026-12-20T00:00:00Z" | write both in the same way',
      ],
    ],
    [
      'from: 2026-12-20T00:00:00Z',
      ['to | is a date where from is a time of day, or the other way round | "10:00" | write both in the same way'],
    ],
    ['{from: 2026-12-20T00:00:00Z, to: 2026-12-20T00:00:01Z}', []],
    [
      '{from: 2026-12-20T00:00:00Z, to: 2026-12-20T00:00:00Z}',
      ['to | is not after from | "2026-12-20T00:00:00Z" | let the window end after it begins'],
    ],
    ['{from: 2026-12-20T01:00:00+01:00, to: 2026-12-20T00:00:01Z}', []],
    [
      '{from: 2026-12-21T00:00:00Z, to: 2026-12-20T00:00:00Z, days: [mon], timezone: UTC}',
      [
        'to | is not after from | "2026-12-20T00:00:00Z" | let the window end after it begins',
        'days | belongs to a weekly window | ["mon"] | remove it',
        'timezone | belongs to a weekly window | "UTC" | remove it: the zone stands in the dates',
      ],
    ],
    ['{days: [mon], timezone: America/New_York}', []],
    [
      'days: []',
      ['days | Too small: expected array to have >=1 items | [] | list some of mon, tue, wed, thu, fri, sat, sun'],
    ],
    [
      'days: [monday]',
      [
        'days.0 | Invalid option: expected one of "mon"|"tue"|"wed"|"thu"|"fri"|"sat"|"sun" | "monday" | list some of mon, tue, wed, thu, fri, sat, sun',
      ],
    ],
    [
      'timezone: Europe/Atlantis',
      ['timezone | is no timezone | "Europe/Atlantis" | use a name of the IANA database, for example Europe/Berlin'],
    ],
    ['timezone: 1', ['timezone']],
    ['name: 1', ['name']],
    ['at: 1', ['at']],
  ])('read the window %s', (change, expected) => {
    check('windows', { name: 'r', from: '09:00', to: '10:00' }, change, expected);
  });

  it.each<[string, string[]]>([
    ['', []],
    ['tool: host.*', ['tool | is no tool | "host.*" | write toolset.verb, for example supervisor.restart']],
    ['tool: xhost', ['tool']],
    ['tool: " a.b"', ['tool']],
    ['tool: "a.b "', ['tool']],
    ['target: ""', ['target']],
    [
      'risk: read',
      [
        'risk | Invalid option: expected one of "safe"|"destructive"|"critical"|"forbidden" | "read" | write it as docs/policy.md does',
      ],
    ],
    [
      'risk: safe',
      ['limit | is missing, and this may lower a class | - | add limit: {runs: 1, withinSeconds: 86400}, say'],
    ],
    ['risk: destructive', ['limit']],
    ['risk: critical', []],
    ['{risk: safe, limit: {runs: 1, withinSeconds: 1}}', []],
    ['{risk: destructive, limit: {runs: 1000, withinSeconds: 604800}}', []],
    [
      '{risk: safe, limit: {runs: 0, withinSeconds: 0}}',
      [
        'limit.runs | Too small: expected number to be >=1 | 0 | use 1 to 1000',
        'limit.withinSeconds | Too small: expected number to be >=1 | 0 | use 1 to 604800 (seven days)',
      ],
    ],
    ['{risk: safe, limit: {runs: 1, withinSeconds: 604801}}', ['limit.withinSeconds']],
    ['{risk: safe, limit: {runs: 1, withinSeconds: 1, per: all}}', ['limit.per']],
    ['reason: ""', ['reason']],
    ['match: []', ['match']],
  ])('read the line of risks: %s', (change, expected) => {
    check(
      'risks',
      { name: 'r', tool: 'host.purge', target: 'a:b', risk: 'forbidden', reason: 'why' },
      change,
      expected,
    );
  });

  it.each<[string, string[]]>([
    ['{per: target, runs: 1}', []],
    ['{per: instance, runs: 1000}', []],
    ['{per: tool, runs: 1, decision: deny}', []],
    ['{per: namespace, runs: 1}', []],
    ['{per: all, runs: 0}', ['runs | Too small: expected number to be >=1 | 0 | use 1 to 1000']],
    [
      '{per: cluster, runs: 1}',
      [
        'per | Invalid option: expected one of "target"|"instance"|"tool"|"service"|"namespace"|"all" | "cluster" | write target, instance, tool, service, namespace or all',
      ],
    ],
    [
      'runs: 1',
      ['per | is missing | - | write what is counted together: target, instance, tool, service, namespace or all'],
    ],
    ['share: 1', []],
    ['share: 0.001', []],
    ['share: 0', ['share | Too small: expected number to be >0 | 0 | use a number above 0, at most 1']],
    ['share: 1.001', ['share | Too big: expected number to be <=1 | 1.001 | use a number above 0, at most 1']],
    [
      '{share: 1, per: all}',
      ['per | belongs to runs | "all" | remove it: a share is always of the group that the call works on'],
    ],
    ['', ['runs | a limit has either runs or share | - | write exactly one of the two']],
    ['{per: all}', ['runs']],
    [
      '{per: all, runs: 1, share: 1}',
      [
        'runs | a limit has either runs or share | 1 | write exactly one of the two',
        'per | belongs to runs | "all" | remove it: a share is always of the group that the call works on',
      ],
    ],
    [
      '{share: 1, decision: allow}',
      ['decision | Invalid option: expected one of "ask"|"deny" | "allow" | write it as docs/policy.md does'],
    ],
    ['{share: 1, withinSeconds: 604800}', []],
    [
      '{share: 1, withinSeconds: 604801}',
      ['withinSeconds | Too big: expected number to be <=604800 | 604801 | use 1 to 604800 (seven days)'],
    ],
    ['{share: 1, risks: [safe]}', ['risks']],
    ['{share: 1, match: [a], call: [b], tools: [c]}', ['tools.0', 'match.0', 'call.0']],
  ])('read the limit %s', (change, expected) => {
    check('limits', { name: 'r', withinSeconds: 60, reason: 'why' }, change, expected);
  });

  it('let no rule take the name of one that is always there', () => {
    for (const name of BUILT_IN_NAMES)
      expect(mistakes(`rules: [{name: ${name}, decision: ask, reason: x}]`), name).toHaveLength(1);
  });

  it('give every mistake at once, also across files, and with mistakes elsewhere', () => {
    const { problems, policy } = combinePolicy([
      parsePolicy(
        'a',
        'windows: [{name: w, from: x}]\nrules: [{name: twice, decision: ask, during: [w, v], extra: 1}]',
      ),
      parsePolicy(
        'b',
        'limits: [{name: twice}]\nrisks: [{name: twice}]\nrules: [{outside: [v, 5]}, {name: 7, during: 5}, 8]',
      ),
      parsePolicy('c', 'rules: 5'),
      parsePolicy('d', 'rules: ['),
    ]);
    expect(problems.map(placed)).toEqual([
      'a.windows.0.from',
      'a.windows.0.to',
      'a.rules.0.reason',
      'a.rules.0.extra',
      'b.rules.0.name',
      'b.rules.0.outside.1',
      'b.rules.0.decision',
      'b.rules.0.reason',
      'b.rules.1.name',
      'b.rules.1.during',
      'b.rules.1.decision',
      'b.rules.1.reason',
      'b.rules.2',
      'b.risks.0.tool',
      'b.risks.0.target',
      'b.risks.0.risk',
      'b.risks.0.reason',
      'b.limits.0.withinSeconds',
      'b.limits.0.reason',
      'b.limits.0.runs',
      'c.rules',
      'd',
      'b.risks.0.name',
      'b.limits.0.name',
      'a.rules.0.during.1',
      'b.rules.0.outside.0',
    ]);
    expect(problems.filter(({ message }) => message.includes('already'))).toEqual([
      {
        at: { file: 'b', line: 2, column: 10 },
        field: 'risks.0.name',
        value: '"twice"',
        message: 'is the name of rules.0 of a already',
        fix: 'give it a name of its own',
      },
      {
        at: { file: 'b', line: 1, column: 11 },
        field: 'limits.0.name',
        value: '"twice"',
        message: 'is the name of rules.0 of a already',
        fix: 'give it a name of its own',
      },
    ]);
    expect(policy).toMatchObject({ rules: [], windows: [], overrides: [], limits: [] });
  });

  it('know a window of another file', () => {
    const rule = parsePolicy('a', 'rules: [{name: r, decision: ask, reason: x, during: [w]}]');
    const window = parsePolicy('b', 'windows: [{name: w, from: "01:00", to: "02:00"}]');
    expect(combinePolicy([rule, window])).toMatchObject({
      problems: [],
      policy: { rules: [{ name: 'r' }], windows: [{ name: 'w' }] },
    });
    expect(combinePolicy([rule]).problems).toHaveLength(1);
  });
});

/** Reads one line of a list with a change, and compares its mistakes: whole, or by their fields only where just those are given. */
function check(list: string, line: Record<string, unknown>, change: string, expected: readonly string[]): void {
  const flow = change.startsWith('{') ? change.slice(1, -1) : change;
  const changed = new Set([...flow.matchAll(/(?:^|, )(\w+): /g)].map(([, key]) => key));
  const kept = Object.entries(line).filter(([key]) => !changed.has(key));
  const text = [...kept.map(([key, value]) => `${key}: ${JSON.stringify(value)}`), flow].filter(Boolean).join(', ');
  const windows = '{name: w, from: "01:00", to: "02:00"}';
  const found = mistakes(
    list === 'windows' ? `windows: [${windows}, {${text}}]` : `windows: [${windows}]\n${list}: [{${text}}]`,
  ).map((one) => one.replace(`p.${list}.${list === 'windows' ? 1 : 0}.`, ''));
  const short = (one: string) => one.split(' | ')[0];
  const asGiven = found.map((one, index) => (expected[index] === short(one) ? short(one) : one));
  expect(asGiven, text).toEqual(expected);
}

describe('the hash of a policy', () => {
  const hash = (text: string) => combinePolicy([parsePolicy('p', text)]).policy.sha256;

  it('covers everything in it', () => {
    const changes: [string, string][] = [
      ['days: [mon, fri]', 'days: [mon]'],
      ['"22:05"', '"22:06"'],
      ['"06:30"', '"06:31"'],
      ['Europe/Berlin', 'Europe/Paris'],
      ['2026-12-20', '2026-12-21'],
      ['2027-01-03', '2027-01-04'],
      ['name: always', 'name: ever'],
      ['supervisor.*, host', 'supervisor.*, hosts'],
      ['risks: [safe, destructive]', 'risks: [safe]'],
      [`match: ['env="prod"']\n    call`, `match: ['env="dev"']\n    call`],
      ['web-.*', 'db-.*'],
      ['during: [nights]', 'during: [always]'],
      ['outside: [freeze]', 'outside: [always]'],
      ['decision: ask', 'decision: deny'],
      ['[ben, ana]', '[ben, cleo]'],
      ['quorum: 2', 'quorum: 1'],
      ['expirySeconds: 600', 'expirySeconds: 601'],
      ['600\n    reason: why', '600\n    reason: whyever'],
      ['runs: 20', 'runs: 21'],
      ['0.8', '0.81'],
      ['shop:directory spool', 'shop:directory y'],
      ['risk: safe', 'risk: destructive'],
      ['runs: 2,', 'runs: 1,'],
      ['withinSeconds: 60}', 'withinSeconds: 61}'],
      ['risk: critical', 'risk: forbidden'],
      ['[host.*]', '[]'],
      ['per: service', 'per: all'],
      ['runs: 3', 'runs: 4'],
      ['604800', '604799'],
      ['decision: deny', 'decision: ask'],
      ['share: 0.5', 'share: 0.6'],
    ];
    const hashes = changes
      .map(([from, to]) => [from, FULL.replace(from, to)] as const)
      .map(([from, text]) => {
        expect(text, from).not.toBe(FULL);
        return hash(text);
      });
    expect(new Set([hash(FULL), ...hashes]).size).toBe(changes.length + 1);
  });

  it('is that of the canonical JSON, under a tag of its own', () => {
    const canonical = 'nightshift/policy/v1\n{"limits":[],"risks":[],"rules":[],"windows":[]}';
    expect(hash('{}')).toBe(createHash('sha256').update(canonical).digest('hex'));
  });

  it('does not depend on the order of keys, nor on what is written out though it is usual', () => {
    expect(hash('rules: [{name: r, decision: ask, reason: x}]')).toBe(
      hash('limits: []\nrules: [{reason: x, tools: [], decision: ask, name: r}]'),
    );
  });
});

describe('loadPolicy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-policy-'));
  const line = (name: string) => `rules: [{name: ${name}, decision: ask, reason: x}]`;
  const write = (path: string, text: string) => writeFileSync(join(folder, path), text);
  for (const sub of ['one', 'two', 'many', 'broken', 'empty']) mkdirSync(join(folder, sub), { recursive: true });
  write('one/b.yaml', line('b'));
  write('one/a.yml', line('a'));
  write('one/b.test.yaml', 'not a policy: [');
  write('one/a.test.yml', 'not a policy: [');
  write('one/yaml', 'not a policy: [');
  write('one/a.yaml.bak', 'not a policy: [');
  write('two/c.yaml', line('c'));
  write('two/latest.yaml', line('d'));
  write('two/d.test.yaml.yaml', line('e'));
  // Folders are not listed in the order of their names.
  for (const letter of 'qxgzbhmwckvdsnjarftpely') write(`many/${letter}.yaml`, line(letter));
  write('broken/a.yaml', 'rules: 1');
  write('broken/b.yaml', 'limits: 1');
  afterAll(() => rmSync(folder, { recursive: true }));

  it('reads all files of all folders by name, but no tests', async () => {
    const { rules, sha256 } = await loadPolicy([join(folder, 'two'), join(folder, 'one')]);
    expect(rules.map(({ name }) => name)).toEqual(['c', 'e', 'd', 'a', 'b']);
    expect(sha256).not.toBe((await loadPolicy([join(folder, 'two')])).sha256);
    const many = (await loadPolicy([join(folder, 'many')])).rules.map(({ name }) => name);
    expect(many).toEqual(many.toSorted());
    expect(many).toHaveLength(23);
  });

  it('takes a folder without a file for a policy that says nothing', async () => {
    expect(await loadPolicy([join(folder, 'empty')])).toMatchObject({
      rules: [],
      windows: [],
      overrides: [],
      limits: [],
    });
  });

  it('refuses everything for one mistake, and names all of them', async () => {
    const error = (await loadPolicy([join(folder, 'broken')]).catch((thrown: unknown) => thrown)) as NightshiftError;
    expect(error).toMatchObject({ code: 'invalid_policy', problems: [{}, {}] });
    expect(error.message).toMatch(
      /^2 mistake\(s\) in the policy:\n.*broken\/a\.yaml:1:1 rules: .*\n.*broken\/b\.yaml:1:1 limits: /,
    );
    const twice = (await loadPolicy([join(folder, 'one'), join(folder, 'one')]).catch(
      (thrown: unknown) => thrown,
    )) as Error;
    expect(twice.message).toMatch(/^2 mistake\(s\) in the policy:\n/);
  });

  it('refuses a folder that does not exist', async () => {
    const missing = join(folder, 'missing');
    await expect(loadPolicy([missing])).rejects.toMatchObject({
      code: 'invalid_policy',
      message: expect.stringMatching(
        /^policies: cannot read .*missing: ENOENT.*\. Fix: create the folder, or correct policies: in nightshift\.yaml$/,
      ) as string,
      cause: { code: 'ENOENT' },
    });
  });
});
