import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RiskClass } from '../../../src/mcp-tools/index.ts';
import { deniedWhatever, judge } from '../../../src/policy/index.ts';
import { matchers, override, policy, rule } from './make-question.ts';
import { policies, questions } from './oracle-arbitraries.ts';

const offer = (change: object = {}) => ({
  tool: { name: 'host.purge', risk: 'destructive' as RiskClass },
  instance: 'eu',
  labels: { service: 'search' },
  mode: 'auto' as const,
  ...change,
});
const denying = (change: object = {}) =>
  policy({ rules: [rule({ name: 'no', decision: 'deny', risks: [], ...change })] });

describe('deniedWhatever', () => {
  it('never names a rule for a change that could run or be asked about', () => {
    let denied = 0;
    fc.assert(
      fc.property(policies, questions, (given, asked) => {
        const { call, labels, mode } = asked;
        fc.pre(call.risk !== 'read');
        const rule = deniedWhatever(
          { tool: { name: call.tool, risk: call.risk }, instance: call.instance, labels, mode },
          given,
        );
        if (rule === null) return;
        denied += 1;
        expect(judge(asked, given)).toMatchObject({ decision: 'deny' });
      }),
      { numRuns: 5000 },
    );
    expect(denied).toBeGreaterThan(500);
  });

  it('names the rule that denies a tool, an instance or these alerts', () => {
    expect(deniedWhatever(offer(), policy({ rules: [] }))).toBeNull();
    expect(deniedWhatever(offer(), denying())).toBe('no');
    expect(deniedWhatever(offer(), denying({ tools: ['host.*'] }))).toBe('no');
    expect(deniedWhatever(offer(), denying({ tools: ['supervisor.*'] }))).toBeNull();
    expect(deniedWhatever(offer(), denying({ callMatchers: matchers('instance="eu"') }))).toBe('no');
    expect(deniedWhatever(offer(), denying({ callMatchers: matchers('instance="us"') }))).toBeNull();
    expect(deniedWhatever(offer(), denying({ matchers: matchers('service="search"') }))).toBe('no');
    expect(deniedWhatever(offer(), denying({ matchers: matchers('service="payments"') }))).toBeNull();
    expect(deniedWhatever(offer({ mode: 'observe' }), policy())).toBe('mode-observe');
    expect(deniedWhatever(offer({ tool: { name: 'x.y', risk: 'forbidden' } }), policy())).toBe('risk-forbidden');
  });

  it('names none for what depends on arguments, target, time, risk of the arguments or an override', () => {
    expect(deniedWhatever(offer(), denying({ callMatchers: matchers('directory="x"') }))).toBeNull();
    expect(deniedWhatever(offer(), denying({ callMatchers: matchers('target="eu:directory x"') }))).toBeNull();
    expect(deniedWhatever(offer(), denying({ during: ['freeze'] }))).toBeNull();
    expect(deniedWhatever(offer(), denying({ outside: ['nights'] }))).toBeNull();
    const byArguments = { name: 'host.purge', risk: () => 'safe' as const };
    expect(deniedWhatever(offer({ tool: byArguments }), denying({ risks: ['destructive'] }))).toBeNull();
    const lowered = {
      ...denying({ risks: ['destructive'] }),
      overrides: [override({ tool: 'host.purge', risk: 'safe' })],
    };
    expect(deniedWhatever(offer(), lowered)).toBeNull();
  });
});
