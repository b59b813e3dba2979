import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RISK_CLASSES } from '../../../src/mcp-tools/index.ts';
import {
  DECISIONS,
  judge,
  type Policy,
  type PolicyRule,
  type Question,
  type Run,
  strictest,
  type Verdict,
} from '../../../src/policy/index.ts';
import type { PolicyLimit, RiskOverride, TimeWindow } from '../../../src/policy/question.ts';
import { AT, limit, matchers, override, policy, question, rule, secondsAgo } from './make-question.ts';

const labelSets = fc.dictionary(
  fc.constantFrom('env', 'service', 'namespace', '__proto__', 'constructor', 'toString'),
  fc.constantFrom('', 'prod', 'shop'),
);
const tools = fc.constantFrom('supervisor.restart', 'host.purge');
const targets = fc.constantFrom('shop:process web', 'shop:directory spool');
const ages = fc.constantFrom(0, 59, 60, 599, 600, 3599, 3600, 86_399, 86_400, 604_799);
const runs: fc.Arbitrary<Run> = fc
  .record({
    tool: tools,
    instance: fc.constantFrom('shop', 'other'),
    target: targets,
    service: fc.constantFrom('', 'prod', 'shop'),
    namespace: fc.constantFrom('', 'prod', 'shop'),
    group: fc.constantFrom(null, 'web'),
    affects: fc.nat(3),
    age: ages,
  })
  .map(({ age, ...one }) => ({ ...one, at: secondsAgo(age) }));
const questions: fc.Arbitrary<Question> = fc
  .record({
    call: fc.record({
      tool: tools,
      instance: fc.constantFrom('shop', 'other'),
      target: targets,
      arguments: fc.dictionary(
        fc.constantFrom('process', 'tool', '__proto__', 'constructor'),
        fc.jsonValue({ maxDepth: 2 }),
      ),
      risk: fc.constantFrom(...RISK_CLASSES),
    }),
    labels: labelSets,
    mode: fc.constantFrom('auto' as const, 'auto' as const, 'ask' as const, 'observe' as const),
    origin: fc.constantFrom('pinned' as const, 'pinned' as const, 'unpinned' as const, 'undeclared' as const),
    requestedBy: fc.constantFrom(null, null, 'ana'),
    receivedAt: fc.constantFrom(0, 899, 900).map(secondsAgo),
    serviceApprovers: fc.constantFrom(null, null, ['ana'], ['ana', 'ben']),
    population: fc.option(fc.record({ group: fc.constant('web'), members: fc.nat(8), affects: fc.nat(3) })),
    recent: fc.array(runs, { maxLength: 3 }),
    record: fc.array(fc.constantFrom('healed' as const, 'healed' as const, 'worse' as const, 'unknown' as const), {
      maxLength: 5,
    }),
  })
  .map((parts) => question(parts));
const matcherLists = fc.constantFrom(
  '',
  'env="prod"',
  'env!="prod"',
  'constructor=""',
  '__proto__=~".+"',
  'process=~".*"',
);
const scopes = {
  tools: fc.constantFrom<string[]>([], ['supervisor.*'], ['host.purge']),
  matchers: matcherLists.map(matchers),
  callMatchers: matcherLists.map(matchers),
};
const rulesOf = (...decisions: PolicyRule['decision'][]): fc.Arbitrary<PolicyRule> =>
  fc
    .record({
      ...scopes,
      risks: fc.constantFrom<PolicyRule['risks'][]>([], ['safe'], ['destructive', 'critical'], ['read', 'forbidden']),
      during: fc.constantFrom([], ['open'], ['closed'], ['open', 'closed']),
      outside: fc.constantFrom([], ['open'], ['closed']),
      record: fc.option(fc.record({ runs: fc.integer({ min: 1, max: 4 }), healed: fc.constantFrom(0, 0.4) })),
      decision: fc.constantFrom(...decisions),
      approvers: fc.constantFrom(null, null, ['ana'], ['ana', 'ben', 'cleo']),
      quorum: fc.constantFrom(null, null, 1, 2, 3),
      expirySeconds: fc.constantFrom(null, 60, 600),
    })
    .map((parts) => rule(parts));
const limits: fc.Arbitrary<PolicyLimit> = fc
  .record({
    ...scopes,
    per: fc.constantFrom<PolicyLimit['per'][]>('target', 'instance', 'tool', 'service', 'namespace', 'all'),
    of: fc.constantFrom({ runs: 1, share: null }, { runs: 2, share: null }, { runs: null, share: 0.5 }),
    withinSeconds: fc.constantFrom(60, 600, 604_800),
    decision: fc.constantFrom('ask' as const, 'deny' as const),
  })
  .map(({ of, ...parts }) => limit({ ...parts, ...of }));
const overrides: fc.Arbitrary<RiskOverride> = fc
  .record({
    tool: tools,
    target: targets,
    risk: fc.constantFrom<RiskOverride['risk'][]>('safe', 'destructive', 'critical', 'forbidden'),
    limit: fc.option(fc.record({ runs: fc.integer({ min: 1, max: 3 }), withinSeconds: fc.constantFrom(60, 3600) })),
  })
  .map((parts) => override(parts));
const windows: TimeWindow[] = [
  { name: 'open', kind: 'dates', from: AT, to: secondsAgo(-1) },
  { name: 'closed', kind: 'weekly', days: ['tue'], fromMinute: 0, toMinute: 60, timezone: 'Europe/Berlin' },
];
const policies: fc.Arbitrary<Policy> = fc
  .record({
    rules: fc.array(rulesOf('allow', 'allow', 'ask', 'deny'), { maxLength: 4 }),
    limits: fc.array(limits, { maxLength: 2 }),
    overrides: fc.array(overrides, { maxLength: 2 }),
  })
  .map((parts) => policy({ ...parts, windows }));

const rank = ({ decision }: Verdict) => DECISIONS.indexOf(decision);

/** Holds where `after` demands at least what `before` did: of people, of their number and of their haste. */
function expectNoLess(after: Verdict, before: Verdict): void {
  expect(rank(after)).toBeGreaterThanOrEqual(rank(before));
  if (after.decision !== 'ask' || before.decision !== 'ask') return;
  expect(after.approvals).toBeGreaterThanOrEqual(before.approvals);
  if (before.approvers !== null)
    expect(before.approvers).toEqual(expect.arrayContaining([...(after.approvers ?? ['?'])]));
  if (before.expirySeconds !== null) expect(after.expirySeconds ?? Infinity).toBeLessThanOrEqual(before.expirySeconds);
}

const RUNS = { numRuns: 1000 };
const UNHURRIED = { timeout: 30_000 };

describe('whatever is asked of whatever policy', () => {
  it('nothing that changes something runs unasked unless all of these hold', UNHURRIED, () => {
    fc.assert(
      fc.property(questions, policies, (asked, given) => {
        const { decision, risk, approvals, approvers } = judge(asked, given);
        if (decision === 'allow' && risk !== 'read') {
          expect(asked).toMatchObject({ mode: 'auto', origin: 'pinned', requestedBy: null });
          expect(risk).toBe('safe');
          expect(given.rules.some((one) => one.decision === 'allow')).toBe(true);
          expect(asked.receivedAt.getTime()).toBeGreaterThan(secondsAgo(900).getTime());
          const young = asked.recent.filter(({ at }) => at > secondsAgo(600));
          expect(young.filter(({ target }) => target === asked.call.target)).toEqual([]);
        }
        if (asked.call.risk === 'forbidden') expect(decision).toBe('deny');
        expect(risk === 'read').toBe(asked.call.risk === 'read');
        expect(approvals > 0).toBe(decision === 'ask');
        if (approvers !== null && risk !== 'read') expect(approvers.length).toBeGreaterThanOrEqual(approvals);
      }),
      RUNS,
    );
  });

  it('a rule or a limit that does not allow never makes the verdict less restrictive', UNHURRIED, () => {
    fc.assert(
      fc.property(questions, policies, rulesOf('ask', 'deny'), limits, (asked, given, more, most) => {
        const before = judge(asked, given);
        expectNoLess(judge(asked, { ...given, rules: [...given.rules, more] }), before);
        expectNoLess(judge(asked, { ...given, rules: [more, ...given.rules] }), before);
        expectNoLess(judge(asked, { ...given, limits: [...given.limits, most] }), before);
      }),
      RUNS,
    );
  });

  it('more recent runs never make the verdict less restrictive', UNHURRIED, () => {
    fc.assert(
      fc.property(questions, policies, fc.array(runs, { minLength: 1, maxLength: 5 }), (asked, given, more) => {
        // A rule that restricts only `safe` calls says nothing more about a call whose lowered class has been used up.
        const rules = given.rules.map((one) => (one.decision === 'allow' ? one : { ...one, risks: [] }));
        const after = { ...asked, recent: [...asked.recent, ...more] };
        expectNoLess(judge(after, { ...given, rules }), judge(asked, { ...given, rules }));
        const fixed = { ...given, overrides: [] };
        expectNoLess(judge(after, fixed), judge(asked, fixed));
      }),
      RUNS,
    );
  });

  it('the order of rules, limits, lines and runs does not matter', UNHURRIED, () => {
    fc.assert(
      fc.property(questions, policies, (asked, given) => {
        const { spoke, ...verdict } = judge(asked, given);
        const turned = judge(
          { ...asked, recent: asked.recent.toReversed() },
          {
            ...given,
            rules: given.rules.toReversed(),
            limits: given.limits.toReversed(),
            overrides: given.overrides.toReversed(),
            windows: given.windows.toReversed(),
          },
        );
        // In which order the approvers of a refused call are named is a matter of words.
        expect(turned).toMatchObject(verdict);
        expect(turned.spoke).toHaveLength(spoke.length);
      }),
      RUNS,
    );
  });

  it('no alert among several makes the verdict on all of them less restrictive', UNHURRIED, () => {
    fc.assert(
      fc.property(fc.array(questions, { minLength: 1, maxLength: 3 }), policies, (asked, given) => {
        const verdicts = asked.map((one) => judge(one, given));
        const whole = strictest(verdicts);
        for (const one of verdicts) expectNoLess(whole, one);
      }),
      RUNS,
    );
  });

  it('labels and arguments that objects inherit are missing', UNHURRIED, () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.getOwnPropertyNames(Object.prototype)), (name) => {
        const asked = question({ labels: {}, call: { arguments: {} } });
        const empty = matchers(`${name}=""`);
        const there = matchers(`${name}=~".+"`);
        const speaks = (parts: Partial<PolicyRule>) =>
          judge(asked, policy({ rules: [rule(parts)] })).decision === 'allow';
        expect(speaks({ matchers: empty, callMatchers: empty })).toBe(true);
        expect(speaks({ matchers: there })).toBe(false);
        expect(speaks({ callMatchers: there })).toBe(false);
      }),
    );
  });
});
