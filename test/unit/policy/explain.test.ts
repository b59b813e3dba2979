import { describe, expect, it } from 'vitest';
import { explain, judge } from '../../../src/policy/index.ts';
import { limit, matchers, override, policy, question, rule, run } from './make-question.ts';

describe('explain', () => {
  it('gives the verdict, and every reason of every rule and limit that is about the tool and did not speak', () => {
    const rules = [
      rule({ name: 'speaks' }),
      rule({ name: 'for-another-tool', tools: ['host.*'], matchers: matchers('env="prod"') }),
      rule({
        name: 'five-reasons',
        risks: ['destructive', 'critical'],
        matchers: matchers('env="prod"'),
        callMatchers: matchers('process="db"'),
        during: ['never'],
        record: { runs: 20, healed: 0.8 },
      }),
    ];
    const limits = [
      limit({ name: 'reached' }),
      limit({ name: 'not-reached', runs: 2, per: 'tool' }),
      limit({ name: 'for-no-tool-of-ours', tools: ['host.purge'], runs: 2 }),
    ];
    const overrides = [
      override({ name: 'spent', limit: { runs: 1, withinSeconds: 60 } }),
      override({ name: 'keeps', risk: 'destructive' }),
      override({ name: 'elsewhere', target: 'shop:process db' }),
    ];
    const recent = [run({ tool: 'supervisor.restart', target: 'shop:process web' })];
    const asked = question({ call: { risk: 'destructive' }, recent, record: ['healed', 'unknown'] });
    const given = policy({ rules, limits, overrides });
    expect(explain(asked, given)).toEqual({
      verdict: judge(asked, given),
      overrides: [
        { name: 'spent', risk: 'safe', why: '1 run(s) in 60 s (limit 1)' },
        { name: 'keeps', risk: 'destructive', why: null },
      ],
      secrets: [],
      silent: [
        {
          rule: 'five-reasons',
          why: [
            'label matcher env="prod" does not hold: it is "staging"',
            'call matcher process="db" does not hold: it is "web"',
            'the time is outside never',
            'record: 2 of 20 run(s)',
            'record: 1 of 2 healed, Wilson lower bound 0.094 < 0.8',
          ],
        },
        { rule: 'not-reached', why: ['1 run(s) of tool supervisor.restart in 3600 s (limit 2)'] },
      ],
    });
  });

  it('goes by the effective class', () => {
    const rules = [
      rule({ name: 'of-safe-ones', risks: ['safe'] }),
      rule({ name: 'of-others', risks: ['destructive', 'critical'] }),
    ];
    const { verdict, silent } = explain(
      question({ call: { risk: 'destructive' } }),
      policy({ rules, overrides: [override()] }),
    );
    expect(verdict).toMatchObject({ decision: 'allow', risk: 'safe' });
    expect(silent).toEqual([{ rule: 'of-others', why: ['the risk class is safe, not destructive or critical'] }]);
  });

  it('says that a rule without risks leaves reads alone', () => {
    expect(explain(question({ call: { risk: 'read' } }), policy({ limits: [limit()] })).silent).toEqual([
      { rule: 'allow-safe', why: ['the risk class is read, not one that changes something'] },
      { rule: 'a-limit', why: ['the call changes nothing', '0 run(s) in 3600 s (limit 1)'] },
    ]);
  });
});
