import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type Decision,
  loadPolicyTests,
  type PolicyTest,
  parsePolicyTests,
  type ResolveCall,
  runPolicyTests,
} from '../../../src/policy/index.ts';
import { limit, matchers, policy, rule } from './make-question.ts';

const CALL = `{tool: supervisor.restart, instance: shop, target: 'shop:process web', risk: safe, arguments: {process: web}}`;
const unresolved: ResolveCall = (tool) => ({ ok: false, message: `there is no tool ${tool}` });

function parseOne(text: string): PolicyTest {
  const { tests, problems } = parsePolicyTests('t.yaml', text);
  expect(problems).toEqual([]);
  const [test] = tests;
  if (!test) throw new Error('no test was read');
  return test;
}

/** A test of the usual call, with a change, that expects something. */
function one(
  change: string,
  expected = '{decision: allow}',
  call = CALL,
  labels = '{service: search, namespace: shop}',
): PolicyTest {
  return parseOne(
    `tests:\n  - {name: n, call: ${call}, labels: ${labels}, expect: ${expected}${change && `, ${change}`}}`,
  );
}

function outcome(test: PolicyTest, given = policy(), resolve = unresolved) {
  const [result] = runPolicyTests([test], given, resolve);
  if (!result) throw new Error('no test was run');
  return result;
}

describe('parsePolicyTests', () => {
  it('fills in what is usual', () => {
    expect(parseOne('tests: [{name: n, call: {tool: a.b}, labels: {}, expect: {decision: ask}}]')).toEqual({
      path: 't.yaml',
      name: 'n',
      call: { tool: 'a.b', arguments: {} },
      labels: {},
      mode: 'auto',
      origin: 'pinned',
      requestedBy: null,
      at: new Date('2026-01-05T12:00:00Z'),
      population: null,
      serviceApprovers: null,
      recent: [],
      record: [],
      limits: {},
      expect: { decision: 'ask', rules: [] },
    });
  });

  it('reads everything that a test may say', () => {
    const test = one(
      `mode: ask, origin: unpinned, requestedBy: ana, at: 2026-02-01T00:00:00+01:00, receivedAt: 2026-01-31T22:59:00Z,
       population: {group: web, members: 4, affects: 1}, recent: [{minutesAgo: 0.5, tool: a.b, group: null}],
       limits: {perTargetDay: 9, replicaShare: 0.5}`,
      '{decision: deny, risk: critical, approvals: 2, approvers: [ben, ana], expirySeconds: 60, rules: [x]}',
    );
    expect(test).toMatchObject({
      mode: 'ask',
      origin: 'unpinned',
      requestedBy: 'ana',
      at: new Date('2026-01-31T23:00:00Z'),
      receivedAt: new Date('2026-01-31T22:59:00Z'),
      population: { group: 'web', members: 4, affects: 1 },
      recent: [{ minutesAgo: 0.5, tool: 'a.b', group: null, affects: 1 }],
      limits: { perTargetDay: 9, replicaShare: 0.5 },
      expect: {
        decision: 'deny',
        risk: 'critical',
        approvals: 2,
        approvers: ['ana', 'ben'],
        expirySeconds: 60,
        rules: ['x'],
      },
    });
  });

  it.each([
    ['[worse, healed]', ['worse', 'healed']],
    ['{}', []],
    ['{healed: 2}', ['healed', 'healed']],
    ['{worse: 1, unknown: 1, unchanged: 1, healed: 1}', ['healed', 'unchanged', 'unknown', 'worse']],
    ['{healed: 2, newest: worse}', ['worse', 'healed', 'healed']],
    ['{newest: healed, worse: 1}', ['healed', 'worse']],
  ])('reads the record %s, newest first', (record, expected) => {
    expect(one(`record: ${record}`).record).toEqual(expected);
  });

  it('reports every mistake with its place', () => {
    const fields = (text: string) =>
      parsePolicyTests('t', text).problems.map(({ at, field }) => `${at?.file}.${field}`);
    expect(fields('tests: []')).toEqual(['t.tests']);
    expect(fields('rules: []')).toEqual(['t.tests', 't.rules']);
    expect(fields('tests: [{}]')).toEqual(['t.tests.0.name', 't.tests.0.call', 't.tests.0.labels', 't.tests.0.expect']);
    expect(
      fields(`tests:
        - name: ''
          call: {tool: '', arguments: [], instance: '', target: '', risk: none, more: 1}
          labels: {a: 1, constructor: 2}
          mode: on
          origin: me
          requestedBy: ''
          at: yesterday
          receivedAt: 5
          population: {group: g, members: -1, affects: 0.5, more: 1}
          recent: [{minutesAgo: -1, affects: -1, more: 1}, {}]
          record: {healed: -1}
          limits: {perTargetDay: 0, perTargetTenMinutes: 0.5, perNamespaceHour: 0, replicaShare: 0, alertAgeSeconds: 0, attempts: 1}
          expect: {decision: no, risk: no, approvals: -1, approvers: ana, expirySeconds: 0.5, rules: no, why: no}`),
    ).toEqual([
      't.tests.0.name',
      't.tests.0.call.tool',
      't.tests.0.call.arguments',
      't.tests.0.call.instance',
      't.tests.0.call.target',
      't.tests.0.call.risk',
      't.tests.0.call.more',
      't.tests.0.labels.a',
      't.tests.0.labels.constructor',
      't.tests.0.mode',
      't.tests.0.origin',
      't.tests.0.requestedBy',
      't.tests.0.at',
      't.tests.0.receivedAt',
      't.tests.0.population.members',
      't.tests.0.population.affects',
      't.tests.0.population.more',
      't.tests.0.recent.0.minutesAgo',
      't.tests.0.recent.0.affects',
      't.tests.0.recent.0.more',
      't.tests.0.recent.1.minutesAgo',
      't.tests.0.record',
      't.tests.0.limits.perTargetTenMinutes',
      't.tests.0.limits.perTargetDay',
      't.tests.0.limits.perNamespaceHour',
      't.tests.0.limits.replicaShare',
      't.tests.0.limits.alertAgeSeconds',
      't.tests.0.limits.attempts',
      't.tests.0.expect.decision',
      't.tests.0.expect.risk',
      't.tests.0.expect.approvals',
      't.tests.0.expect.approvers',
      't.tests.0.expect.expirySeconds',
      't.tests.0.expect.rules',
      't.tests.0.expect.why',
    ]);
    expect(parsePolicyTests('t', 'tests: [').tests).toEqual([]);
    expect(parsePolicyTests('t', 'tests: [{name: n, labels: {constructor: 2}}]').problems).toContainEqual({
      at: expect.objectContaining({ file: 't', line: 1 }),
      field: 'tests.0.labels.constructor',
      value: '2',
      message: 'Invalid input: expected string, received number',
      fix: 'write it as docs/policy.md does',
    });
  });
});

describe('runPolicyTests', () => {
  it('passes a test whose verdict is as expected', () => {
    expect(
      outcome(one('', '{decision: allow, risk: safe, approvals: 0, approvers: null, rules: [allow-safe]}')),
    ).toEqual({
      path: 't.yaml',
      name: 'n',
      passed: true,
      differences: [],
      verdict: {
        decision: 'allow',
        risk: 'safe',
        approvals: 0,
        approvers: null,
        expirySeconds: null,
        spoke: [{ rule: 'allow-safe', decision: 'allow', why: 'it is safe' }],
      },
    });
  });

  it('says everything that differed', () => {
    const given = policy({
      rules: [
        rule({ decision: 'ask', approvers: ['cleo', 'ana'], quorum: 2, expirySeconds: 90 }),
        rule({ name: 'prod', matchers: matchers('env="prod"') }),
      ],
    });
    const expected =
      '{decision: allow, risk: critical, approvals: 1, approvers: [ben], expirySeconds: 60, rules: [prod, allow-safe, nowhere]}';
    expect(outcome(one('', expected), given)).toMatchObject({
      passed: false,
      differences: [
        'decision: expected "allow", got "ask"',
        'risk: expected "critical", got "safe"',
        'approvals: expected 1, got 2',
        'approvers: expected ["ben"], got ["ana","cleo"]',
        'expirySeconds: expected 60, got 90',
        'rules: expected prod to speak, but label matcher env="prod" does not hold: it is ""',
        'rules: expected nowhere to speak, but it is not about this call, or not in the policy',
      ],
      verdict: { decision: 'ask' },
    });
    expect(outcome(one('', '{decision: ask, approvers: [cleo, ana], expirySeconds: 90}'), given).passed).toBe(true);
    expect(outcome(one('', '{decision: ask, approvers: null, expirySeconds: null}'), given).differences).toEqual([
      'approvers: expected null, got ["ana","cleo"]',
      'expirySeconds: expected null, got 90',
    ]);
  });

  it('gives every reason why a rule that was expected was silent', () => {
    const given = policy({ rules: [rule({ name: 'both', risks: ['critical'], during: ['nights'] })] });
    expect(outcome(one('', '{decision: ask, rules: [both]}'), given).differences).toEqual([
      'rules: expected both to speak, but the risk class is safe, not critical; the time is outside nights',
    ]);
  });

  it.each<[string, Decision]>([
    ['mode: ask', 'ask'],
    ['mode: observe', 'deny'],
    ['origin: undeclared', 'ask'],
    ['requestedBy: ana', 'ask'],
    ['at: 2026-01-05T12:15:00Z, receivedAt: 2026-01-05T12:00:00Z', 'ask'],
    ['at: 2026-01-05T12:14:59Z, receivedAt: 2026-01-05T12:00:00Z', 'allow'],
    ['at: 2030-01-05T12:15:00Z', 'allow'],
    ['limits: {alertAgeSeconds: 1}, receivedAt: 2026-01-05T11:59:59Z', 'ask'],
    ['population: {group: web, members: 4, affects: 2}', 'ask'],
    ['population: {group: web, members: 4, affects: 2}, limits: {replicaShare: 0.5}', 'allow'],
    ['population: {group: web, members: 4, affects: 1}, recent: [{minutesAgo: 1, target: x}]', 'ask'],
    ['population: {group: web, members: 4, affects: 0}, recent: [{minutesAgo: 1, target: x, affects: 2}]', 'ask'],
    ['population: {group: web, members: 4, affects: 1}, recent: [{minutesAgo: 1, target: x, instance: y}]', 'allow'],
    ['population: {group: web, members: 4, affects: 1}, recent: [{minutesAgo: 1, target: x, group: z}]', 'allow'],
    ['population: {group: web, members: 4, affects: 1}, recent: [{minutesAgo: 1, target: x, group: null}]', 'allow'],
    ['recent: [{minutesAgo: 9.99}]', 'ask'],
    ['recent: [{minutesAgo: 10}]', 'allow'],
    ['recent: [{minutesAgo: 1, target: x}]', 'allow'],
    ['recent: [{minutesAgo: 1, target: x}], limits: {perNamespaceHour: 1}', 'ask'],
    ['recent: [{minutesAgo: 1, target: x, namespace: y}], limits: {perNamespaceHour: 1}', 'allow'],
  ])('asks what the test describes: %s', (change, decision) => {
    expect(outcome(one(change)).verdict?.decision).toBe(decision);
  });

  it.each<[string, string, Decision]>([
    ['tool', '', 'deny'],
    ['tool', ', tool: a.b', 'allow'],
    ['instance', '', 'deny'],
    ['instance', ', instance: x', 'allow'],
    ['service', '', 'deny'],
    ['service', ', service: x', 'allow'],
    ['namespace', ', namespace: x', 'allow'],
  ])('takes the %s of an earlier run from the call or the labels, unless it says%s', (per, change, decision) => {
    const given = policy({ limits: [limit({ per: per as 'tool', decision: 'deny' })] });
    expect(outcome(one(`recent: [{minutesAgo: 1, target: x${change}}]`), given).verdict?.decision).toBe(decision);
  });

  it('asks about the record, the labels and the arguments of the test', () => {
    const earned = policy({ rules: [rule({ record: { runs: 5, healed: 0.5 } })] });
    expect(outcome(one('record: {healed: 5}'), earned).passed).toBe(true);
    expect(outcome(one('record: {healed: 5, newest: worse}'), earned).passed).toBe(false);
    const matching = policy({
      rules: [
        rule({ matchers: matchers('service="search"'), callMatchers: matchers('process="web",target=~"shop:.*"') }),
      ],
    });
    expect(outcome(one(''), matching).passed).toBe(true);
  });

  it('binds the call where the test does not state all of it, and lets the test say more', () => {
    const asked: unknown[] = [];
    const resolve: ResolveCall = (...all) => {
      asked.push(all);
      return {
        ok: true,
        call: { instance: 'bound', target: 'bound:it', risk: 'destructive', arguments: { process: 'web', wait: 5 } },
      };
    };
    const heard = policy({
      rules: [rule({ callMatchers: matchers('instance="bound",target="bound:it",tool="a.b",wait="5"') })],
    });
    const bare = one(
      '',
      '{decision: ask, risk: destructive, rules: [allow-safe]}',
      '{tool: a.b, arguments: {process: web}}',
    );
    expect(outcome(bare, heard, resolve).differences).toEqual([]);
    expect(asked).toEqual([['a.b', { process: 'web' }, { service: 'search', namespace: 'shop' }]]);

    const partly = (call: string) => outcome(one('', '{decision: allow}', `{tool: a.b, ${call}}`), policy(), resolve);
    expect(partly('risk: safe')).toMatchObject({ passed: true, verdict: { risk: 'safe' } });
    expect(partly('instance: x, target: y').verdict?.risk).toBe('destructive');
    const stated = policy({ rules: [rule({ callMatchers: matchers('instance="x",target="bound:it"') })] });
    expect(outcome(one('', '{decision: allow}', '{tool: a.b, instance: x, risk: safe}'), stated, resolve).passed).toBe(
      true,
    );
    const aimed = policy({ rules: [rule({ callMatchers: matchers('instance="bound",target="y"') })] });
    expect(outcome(one('', '{decision: allow}', '{tool: a.b, target: y, risk: safe}'), aimed, resolve).passed).toBe(
      true,
    );
  });

  it('fails a test whose call cannot be made', () => {
    expect(outcome(one('', '{decision: allow}', '{tool: a.b, risk: safe}'))).toEqual({
      path: 't.yaml',
      name: 'n',
      passed: false,
      differences: ['call: there is no tool a.b; or state instance, target and risk in the test'],
      verdict: null,
    });
  });

  it('runs each test by itself', () => {
    const results = runPolicyTests([one('mode: ask'), one('')], policy(), unresolved);
    expect(results.map(({ passed }) => passed)).toEqual([false, true]);
  });
});

describe('loadPolicyTests', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-policy-tests-'));
  const text = (name: string) => `tests: [{name: ${name}, call: {tool: a.b}, labels: {}, expect: {decision: ask}}]`;
  for (const sub of ['good', 'bad']) mkdirSync(join(folder, sub));
  writeFileSync(join(folder, 'good/b.test.yaml'), text('b'));
  writeFileSync(join(folder, 'good/a.test.yml'), text('a'));
  writeFileSync(join(folder, 'good/a.yaml'), 'rules: []');
  writeFileSync(join(folder, 'good/atest.yaml'), 'rules: []');
  writeFileSync(join(folder, 'bad/a.test.yaml'), 'tests: 1');
  afterAll(() => rmSync(folder, { recursive: true }));

  it('reads only the files of tests', async () => {
    const tests = await loadPolicyTests([join(folder, 'good')]);
    expect(tests.map(({ name, path }) => [name, path.slice(folder.length)])).toEqual([
      ['a', '/good/a.test.yml'],
      ['b', '/good/b.test.yaml'],
    ]);
  });

  it('refuses all for one mistake', async () => {
    await expect(loadPolicyTests([join(folder, 'good'), join(folder, 'bad')])).rejects.toMatchObject({
      code: 'invalid_policy',
      message: expect.stringMatching(/^1 mistake\(s\) in the policy's tests:\n.*a\.test\.yaml:1:1 tests: /) as string,
      problems: [{}],
    });
  });
});
