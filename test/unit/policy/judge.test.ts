import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMatchers } from '../../../src/alert/index.ts';
import { judge, modeFor, type PolicyRule, parsePolicy, type Question } from '../../../src/policy/index.ts';

const allowSafe: PolicyRule = {
  name: 'allow-safe',
  tools: [],
  risks: ['safe'],
  matchers: [],
  decision: 'allow',
  reason: 'safe',
};
const allowAll: PolicyRule = { ...allowSafe, name: 'allow-all', risks: [] };

function question(change: Partial<Question> = {}): Question {
  return {
    call: { tool: 'supervisor.restart', risk: 'safe', target: 'shop:process web' },
    labels: { env: 'staging' },
    mode: 'auto',
    declaredByRunbook: true,
    runs: { tenMinutes: 0, day: 0 },
    limits: { perTargetTenMinutes: 1, perTargetDay: 3 },
    ...change,
  };
}

describe('judge', () => {
  it('allows a safe remedy that a runbook declares and a rule allows, in auto mode', () => {
    expect(judge(question(), [allowSafe])).toMatchObject({ decision: 'allow', approvals: 0 });
  });

  it.each<[string, Partial<Question>, string, number]>([
    ['asks where no rule allows', {}, 'ask', 1],
    ['asks in ask mode', { mode: 'ask' }, 'ask', 1],
    ['denies in observe mode', { mode: 'observe' }, 'deny', 0],
    ['asks where no runbook declares it', { declaredByRunbook: false }, 'ask', 1],
    ['asks when the ten-minute limit is reached', { runs: { tenMinutes: 1, day: 1 } }, 'ask', 1],
    ['asks when the day limit is reached', { runs: { tenMinutes: 0, day: 3 } }, 'ask', 1],
    [
      'asks one person about a destructive call',
      { call: { tool: 'host.purge', risk: 'destructive', target: 't' } },
      'ask',
      1,
    ],
    [
      'asks two people about a critical call',
      { call: { tool: 'db.failover', risk: 'critical', target: 't' } },
      'ask',
      2,
    ],
    ['denies a forbidden call', { call: { tool: 'sh.run', risk: 'forbidden', target: 't' } }, 'deny', 0],
  ])('%s, whatever the rules allow', (name, change, decision, approvals) => {
    const rules = name.includes('no rule') ? [] : [allowAll];
    expect(judge(question(change), rules)).toMatchObject({ decision, approvals });
  });

  it('lets the most restrictive rule win, in any order, and names every one that spoke', () => {
    const deny: PolicyRule = {
      ...allowSafe,
      name: 'freeze',
      risks: [],
      tools: ['supervisor.*'],
      matchers: parseMatchers('env="staging"'),
      decision: 'deny',
      reason: 'freeze',
    };
    for (const rules of [
      [deny, allowSafe],
      [allowSafe, deny],
    ]) {
      const verdict = judge(question(), rules);
      expect(verdict.decision).toBe('deny');
      expect(verdict.spoke.map(({ rule }) => rule).sort()).toEqual(['allow-safe', 'freeze']);
    }
    expect(judge(question({ labels: { env: 'prod' } }), [deny, allowSafe]).decision).toBe('allow');
  });

  it('never lets anything that is not read run unasked unless it is safe, declared, within limits and in auto mode', () => {
    const rule = fc.record({
      name: fc.constant('r'),
      tools: fc.constantFrom<PolicyRule['tools'][]>([], ['supervisor.restart'], ['supervisor.*'], ['other.x']),
      risks: fc.constantFrom<PolicyRule['risks'][]>([], ['safe'], ['destructive', 'critical']),
      matchers: fc.constantFrom([], parseMatchers('env="prod"')),
      decision: fc.constantFrom('allow' as const, 'ask' as const, 'deny' as const),
      reason: fc.constant('x'),
    });
    const asked = fc.record({
      call: fc.record({
        tool: fc.constantFrom('supervisor.restart', 'host.purge'),
        risk: fc.constantFrom(
          'read' as const,
          'safe' as const,
          'destructive' as const,
          'critical' as const,
          'forbidden' as const,
        ),
        target: fc.constant('t'),
      }),
      labels: fc.constantFrom({ env: 'prod' }, { env: 'dev' }),
      mode: fc.constantFrom('auto' as const, 'ask' as const, 'observe' as const),
      declaredByRunbook: fc.boolean(),
      runs: fc.record({ tenMinutes: fc.nat(3), day: fc.nat(5) }),
      limits: fc.constant({ perTargetTenMinutes: 1, perTargetDay: 3 }),
    });
    fc.assert(
      fc.property(asked, fc.array(rule, { maxLength: 5 }), (q, rules) => {
        const { decision, approvals } = judge(q, rules);
        if (decision === 'allow' && q.call.risk !== 'read') {
          expect(q).toMatchObject({ mode: 'auto', declaredByRunbook: true, call: { risk: 'safe' } });
          expect(q.runs.tenMinutes).toBeLessThan(1);
          expect(q.runs.day).toBeLessThan(3);
          expect(rules.some((one) => one.decision === 'allow')).toBe(true);
        }
        if (q.call.risk === 'forbidden') expect(decision).toBe('deny');
        expect(approvals > 0).toBe(decision === 'ask');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('modeFor', () => {
  it('takes the most cautious of all that fit', () => {
    const overrides = [
      { matchers: parseMatchers('env="prod"'), mode: 'ask' as const },
      { matchers: parseMatchers('service="pay"'), mode: 'observe' as const },
      { matchers: parseMatchers('env="dev"'), mode: 'auto' as const },
    ];
    expect(modeFor({ env: 'dev' }, 'auto', overrides)).toBe('auto');
    expect(modeFor({ env: 'prod' }, 'auto', overrides)).toBe('ask');
    expect(modeFor({ env: 'prod', service: 'pay' }, 'auto', overrides)).toBe('observe');
    expect(modeFor({ env: 'dev' }, 'ask', overrides)).toBe('ask');
  });
});

describe('parsePolicy', () => {
  it('reports every mistake with its place', () => {
    const { problems } = parsePolicy(
      'p.yaml',
      'rules:\n  - {name: A B, decision: maybe, reason: x}\n  - {name: ok, tools: [restart], decision: ask, reason: x}\n',
    );
    expect(problems.map(({ field }) => field)).toEqual([
      'p.yaml.rules.0.name',
      'p.yaml.rules.0.decision',
      'p.yaml.rules.1.tools.0',
    ]);
  });
});
