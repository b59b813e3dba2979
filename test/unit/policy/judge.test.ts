import { describe, expect, it } from 'vitest';
import { BUILT_IN_NAMES } from '../../../src/policy/built-in-rules.ts';
import { judge, type Question, strictest, type Verdict } from '../../../src/policy/index.ts';
import { AT, limit, matchers, override, policy, question, rule, run, secondsAgo } from './make-question.ts';

const ALLOWED = { rule: 'allow-safe', decision: 'allow', why: 'it is safe' } as const;
const NOTHING_ALLOWS = {
  rule: 'nothing-allows',
  decision: 'ask',
  why: 'no rule allows this call, so a person is asked',
} as const;
const onTarget = (seconds: number) => run({ target: 'shop:process web', at: secondsAgo(seconds) });
const inNamespace = (seconds: number) => run({ namespace: 'shop', at: secondsAgo(seconds) });

describe('judge', () => {
  it('allows a safe step of a pinned runbook in auto mode that a rule allows, and says nothing else', () => {
    expect(judge(question(), policy())).toEqual({
      decision: 'allow',
      risk: 'safe',
      approvals: 0,
      approvers: null,
      expirySeconds: null,
      spoke: [ALLOWED],
    });
  });

  it('asks one of all approvers where no rule allows', () => {
    expect(judge(question(), policy({ rules: [] }))).toEqual({
      decision: 'ask',
      risk: 'safe',
      approvals: 1,
      approvers: null,
      expirySeconds: null,
      spoke: [NOTHING_ALLOWS],
    });
  });

  it.each<
    [string, Parameters<typeof question>[0], { rule: string; decision: string; why: string; approvals?: number }]
  >([
    [
      'a forbidden call',
      { call: { risk: 'forbidden' } },
      { rule: 'risk-forbidden', decision: 'deny', why: 'this tool never runs with these arguments' },
    ],
    [
      'a destructive call',
      { call: { risk: 'destructive' } },
      { rule: 'risk-destructive', decision: 'ask', why: 'it changes or deletes what cannot be brought back' },
    ],
    [
      'a critical call',
      { call: { risk: 'critical' } },
      { rule: 'risk-critical', decision: 'ask', why: 'two people must agree', approvals: 2 },
    ],
    [
      'observe mode',
      { mode: 'observe' },
      { rule: 'mode-observe', decision: 'deny', why: 'Nightshift only observes here' },
    ],
    ['ask mode', { mode: 'ask' }, { rule: 'mode-ask', decision: 'ask', why: 'every change needs a person here' }],
    [
      'a step that no runbook declares',
      { origin: 'undeclared' },
      { rule: 'not-in-a-runbook', decision: 'ask', why: 'no matching runbook declares this step' },
    ],
    [
      'a runbook that is not pinned',
      { origin: 'unpinned' },
      { rule: 'runbook-not-pinned', decision: 'ask', why: 'the runbook file is not the committed or pinned one' },
    ],
    [
      'a wish of a person',
      { requestedBy: 'ana' },
      { rule: 'asked-by-hand', decision: 'ask', why: 'ana asked for it by hand' },
    ],
    [
      'an alert that is exactly as old as the limit',
      { receivedAt: secondsAgo(900) },
      { rule: 'alert-too-old', decision: 'ask', why: 'the alert was last reported 900 s ago (limit 900)' },
    ],
    [
      'an alert that is a moment older',
      { receivedAt: new Date(secondsAgo(901).getTime() + 1) },
      { rule: 'alert-too-old', decision: 'ask', why: 'the alert was last reported 900 s ago (limit 900)' },
    ],
    [
      'a run on the target in ten minutes',
      { recent: [onTarget(599.999), onTarget(600)] },
      {
        rule: 'limit-ten-minutes',
        decision: 'ask',
        why: '1 run(s) of target shop:process web in 600 s (limit 1)',
      },
    ],
    [
      'three runs on the target in a day',
      { recent: [onTarget(600), onTarget(7000), onTarget(86_399.999), onTarget(86_400)] },
      { rule: 'limit-day', decision: 'ask', why: '3 run(s) of target shop:process web in 86400 s (limit 3)' },
    ],
    [
      'five runs in the namespace in an hour',
      { recent: [0, 1, 2, 3, 3599.999, 3600].map(inNamespace) },
      { rule: 'limit-namespace-hour', decision: 'ask', why: '5 run(s) of namespace shop in 3600 s (limit 5)' },
    ],
    [
      'more than a quarter of the replicas in ten minutes',
      {
        population: { group: 'group web', members: 9, affects: 2 },
        recent: [run({ instance: 'shop', group: 'group web', at: secondsAgo(599.999) })],
      },
      { rule: 'limit-share', decision: 'ask', why: '3 of 9 member(s) of group web in 600 s (at most 2)' },
    ],
  ])('%s speaks whatever the rules allow', (_, change, { approvals, ...said }) => {
    const verdict = judge(question(change), policy());
    expect(verdict).toEqual({
      decision: said.decision,
      risk: change?.call?.risk ?? 'safe',
      approvals: approvals ?? (said.decision === 'ask' ? 1 : 0),
      approvers: null,
      expirySeconds: null,
      spoke: [said, ALLOWED],
    });
  });

  it.each<[string, Parameters<typeof question>[0]]>([
    ['an alert a moment younger than the limit', { receivedAt: secondsAgo(899.999) }],
    ['an alert that comes from a clock ahead of ours', { receivedAt: secondsAgo(-5) }],
    ['a run on the target exactly ten minutes ago', { recent: [onTarget(600)] }],
    ['two runs in a day', { recent: [onTarget(600), onTarget(601), onTarget(86_400)] }],
    ['runs on other targets', { recent: [run(), run({ tool: 'supervisor.restart', instance: 'shop' })] }],
    ['four runs in the namespace in an hour', { recent: [0, 1, 2, 3, 3600].map(inNamespace) }],
    [
      'runs without a namespace where the alert has none',
      { labels: {}, recent: Array(9).fill(run({ namespace: '' })) },
    ],
    [
      'runs without a namespace where that of the alert is empty',
      { labels: { namespace: '' }, recent: Array(9).fill(run({ namespace: '' })) },
    ],
    ['exactly a quarter of the replicas', { population: { group: 'group web', members: 8, affects: 2 } }],
    ['one replica of any number', { population: { group: 'group web', members: 2, affects: 1 } }],
    [
      'replicas that were affected ten minutes ago',
      {
        population: { group: 'group web', members: 4, affects: 1 },
        recent: [run({ instance: 'shop', group: 'group web', at: secondsAgo(600) })],
      },
    ],
    ['an hour of observation elsewhere', { mode: 'auto' }],
  ])('%s is no reason to ask', (_, change) => {
    expect(judge(question(change), policy())).toMatchObject({ decision: 'allow', spoke: [ALLOWED] });
  });

  it.each<[keyof Question['limits'], number, Partial<Question>]>([
    ['perTargetTenMinutes', 2, { recent: [onTarget(1), onTarget(2)] }],
    ['perTargetDay', 2, { recent: [onTarget(601), onTarget(602)] }],
    ['perNamespaceHour', 2, { recent: [inNamespace(1), inNamespace(2)] }],
    ['replicaShare', 0.5, { population: { group: 'g', members: 4, affects: 3 } }],
    ['alertAgeSeconds', 60, { receivedAt: secondsAgo(60) }],
  ])('takes %s from the settings', (name, value, change) => {
    const { limits } = question();
    const wide = {
      perTargetTenMinutes: 100,
      perTargetDay: 100,
      perNamespaceHour: 100,
      replicaShare: 1,
      alertAgeSeconds: 86_400,
    };
    expect(judge(question({ ...change, limits: wide }), policy()).decision).toBe('allow');
    expect(judge(question({ ...change, limits: { ...wide, [name]: value } }), policy()).decision).toBe('ask');
    expect(limits[name]).toBeDefined();
  });

  it('says everything that there is to say, in the order of the documents', () => {
    const verdict = judge(
      question({
        call: { risk: 'critical' },
        mode: 'observe',
        origin: 'unpinned',
        requestedBy: 'ben',
        receivedAt: secondsAgo(1000),
        population: { group: 'g', members: 1, affects: 2 },
        recent: Array(5).fill(run({ target: 'shop:process web', namespace: 'shop' })),
      }),
      policy({ rules: [rule({ decision: 'ask' })], limits: [limit()] }),
    );
    expect(verdict).toMatchObject({ decision: 'deny', approvals: 0 });
    expect(verdict.spoke.map((one) => one.rule)).toEqual([
      'risk-critical',
      'mode-observe',
      'runbook-not-pinned',
      'asked-by-hand',
      'alert-too-old',
      'limit-ten-minutes',
      'limit-day',
      'limit-namespace-hour',
      'limit-share',
      'allow-safe',
      'a-limit',
      'nothing-allows',
    ]);
    for (const { rule: name } of verdict.spoke.filter((one) => one.rule !== 'allow-safe' && one.rule !== 'a-limit'))
      expect(BUILT_IN_NAMES).toContain(name);
  });

  it('lets reads run whatever the mode, the origin and the limits say', () => {
    const verdict = judge(
      question({
        call: { risk: 'read' },
        mode: 'observe',
        origin: 'undeclared',
        requestedBy: 'ana',
        receivedAt: secondsAgo(9000),
        population: { group: 'g', members: 1, affects: 5 },
        recent: Array(9).fill(run({ target: 'shop:process web', namespace: 'shop' })),
      }),
      policy({ rules: [rule({ decision: 'deny' })], limits: [limit()] }),
    );
    expect(verdict).toEqual({
      decision: 'allow',
      risk: 'read',
      approvals: 0,
      approvers: null,
      expirySeconds: null,
      spoke: [{ rule: 'reads-are-free', decision: 'allow', why: 'it changes nothing' }],
    });
  });

  it('hears a rule that names reads, and asks without wondering who could answer', () => {
    const asked = rule({ name: 'look', risks: ['read'], decision: 'ask', approvers: ['ana'], quorum: 2 });
    expect(judge(question({ call: { risk: 'read' } }), policy({ rules: [asked] }))).toMatchObject({
      decision: 'ask',
      approvals: 2,
      approvers: ['ana'],
      spoke: [{ rule: 'reads-are-free' }, { rule: 'look' }],
    });
  });

  it('lets the most restrictive rule win, in any order, and names every one that spoke', () => {
    const deny = rule({
      name: 'freeze',
      tools: ['supervisor.*'],
      matchers: matchers('env="staging"'),
      decision: 'deny',
    });
    const ask = rule({ name: 'look', decision: 'ask' });
    const verdict = (...rules: (typeof deny)[]) => judge(question(), policy({ rules }));
    expect(verdict(deny, rule(), ask).decision).toBe('deny');
    expect(verdict(rule(), ask, deny).decision).toBe('deny');
    expect(verdict(ask, rule()).decision).toBe('ask');
    expect(verdict(rule(), ask, deny).spoke.map((one) => one.rule)).toEqual(['allow-safe', 'look', 'freeze']);
    expect(judge(question({ labels: { env: 'prod' } }), policy({ rules: [deny, rule()] })).decision).toBe('allow');
  });

  it('says what a limit of the files counted', () => {
    const reached = limit({ per: 'tool', runs: 2, withinSeconds: 60, decision: 'deny', reason: 'It does not help.' });
    const recent = [0, 59, 60].map((seconds) => run({ tool: 'supervisor.restart', at: secondsAgo(seconds) }));
    expect(judge(question({ recent }), policy({ limits: [reached] }))).toMatchObject({
      decision: 'deny',
      spoke: [
        ALLOWED,
        {
          rule: 'a-limit',
          decision: 'deny',
          why: 'It does not help. (2 run(s) of tool supervisor.restart in 60 s (limit 2))',
        },
      ],
    });
    expect(judge(question({ recent }), policy({ limits: [{ ...reached, runs: 3 }] })).decision).toBe('allow');
    expect(judge(question({ recent }), policy({ limits: [{ ...reached, tools: ['host.*'] }] })).decision).toBe('allow');
  });

  it('judges by the class that the operator gave', () => {
    const lowered = policy({ overrides: [override()] });
    expect(judge(question({ call: { risk: 'destructive' } }), lowered)).toMatchObject({
      decision: 'allow',
      risk: 'safe',
    });
    const safeOnly = policy({ rules: [rule({ risks: ['safe'] })], overrides: [override({ risk: 'critical' })] });
    expect(judge(question(), safeOnly)).toMatchObject({
      decision: 'ask',
      risk: 'critical',
      approvals: 2,
      spoke: [{ rule: 'risk-critical' }, NOTHING_ALLOWS],
    });
    const never = policy({ overrides: [override({ risk: 'forbidden' })] });
    expect(judge(question(), never)).toMatchObject({
      decision: 'deny',
      risk: 'forbidden',
      spoke: [{ rule: 'risk-forbidden' }, ALLOWED],
    });
  });

  it('opens windows at the time of the question', () => {
    const windows = [{ name: 'now', kind: 'dates', from: AT, to: secondsAgo(-1) }] as const;
    const during = policy({ windows, rules: [rule({ during: ['now'] })] });
    expect(judge(question(), during).decision).toBe('allow');
    expect(judge(question({ at: secondsAgo(-1) }), during).decision).toBe('ask');
  });
});

describe('who must approve', () => {
  const verdict = (rules: Parameters<typeof rule>[0][], change: Parameters<typeof question>[0] = {}) =>
    judge(question(change), policy({ rules: rules.map((one) => rule({ decision: 'ask', ...one })) }));

  it('is the largest quorum of the rules that asked', () => {
    expect(verdict([{}, { quorum: 1 }]).approvals).toBe(1);
    expect(verdict([{ quorum: 3 }, { quorum: 2 }]).approvals).toBe(3);
    expect(verdict([{ quorum: 1 }], { call: { risk: 'critical' } }).approvals).toBe(2);
    expect(verdict([{ quorum: 5 }], { call: { risk: 'critical' } }).approvals).toBe(5);
    expect(verdict([{ quorum: 5, risks: ['critical'] }]).approvals).toBe(1);
  });

  it('is who is named by all rules that asked and name somebody, sorted and once each', () => {
    expect(verdict([{}, {}]).approvers).toBe(null);
    expect(verdict([{ approvers: ['cleo', 'ana', 'cleo'] }, {}]).approvers).toEqual(['ana', 'cleo']);
    expect(verdict([{ approvers: ['cleo', 'ana', 'ben'] }, { approvers: ['dora', 'cleo', 'ben'] }]).approvers).toEqual([
      'ben',
      'cleo',
    ]);
  });

  it('has the shortest time that a rule gave', () => {
    expect(verdict([{}]).expirySeconds).toBe(null);
    expect(verdict([{ expirySeconds: 600 }, {}, { expirySeconds: 120 }]).expirySeconds).toBe(120);
  });

  it('is nobody where the decision is deny, or allow', () => {
    const asking = { approvers: ['ana'], quorum: 1, expirySeconds: 60 };
    expect(verdict([asking], { mode: 'observe' })).toMatchObject({
      approvals: 0,
      approvers: null,
      expirySeconds: null,
    });
    expect(verdict([{ ...asking, decision: 'allow' }])).toMatchObject({
      decision: 'allow',
      approvals: 0,
      approvers: null,
      expirySeconds: null,
    });
    expect(verdict([{ ...asking, decision: 'allow' }, {}])).toMatchObject({
      decision: 'ask',
      approvals: 1,
      approvers: null,
      expirySeconds: null,
    });
  });

  it('denies what nobody can approve', () => {
    const denied = { decision: 'deny', approvals: 0, approvers: null, expirySeconds: null };
    const only = verdict([{ approvers: ['ana', 'ana', 'ben'], expirySeconds: 60 }, { quorum: 3 }]);
    expect(only).toMatchObject(denied);
    expect(only.spoke.at(-1)).toEqual({
      rule: 'nobody-can-approve',
      decision: 'deny',
      why: '3 must approve, and only ana, ben may',
    });
    const nobody = verdict([{ approvers: ['ana'] }, { approvers: ['ben'] }]);
    expect(nobody).toMatchObject(denied);
    expect(nobody.spoke.at(-1)?.why).toBe('1 must approve, and nobody is named by every rule that asks');
    expect(verdict([{ approvers: ['ana', 'ben'], quorum: 2 }])).toMatchObject({ decision: 'ask', approvals: 2 });
    expect(verdict([{ approvers: ['ana'] }], { call: { risk: 'critical' } }).decision).toBe('deny');
  });
});

describe('strictest', () => {
  const asked: Verdict = {
    decision: 'ask',
    risk: 'safe',
    approvals: 1,
    approvers: null,
    expirySeconds: null,
    spoke: [NOTHING_ALLOWS],
  };
  const allowed: Verdict = { ...asked, decision: 'allow', approvals: 0, spoke: [ALLOWED] };
  const denied: Verdict = {
    ...allowed,
    decision: 'deny',
    spoke: [{ rule: 'freeze', decision: 'deny', why: 'no' }, ALLOWED],
  };

  it('is the verdict itself where there is one', () => {
    for (const one of [asked, allowed, denied]) expect(strictest([one])).toEqual(one);
  });

  it('takes the most restrictive decision and everything that was said, once', () => {
    expect(strictest([allowed, asked])).toEqual({ ...asked, spoke: [ALLOWED, NOTHING_ALLOWS] });
    expect(strictest([asked, denied, allowed])).toEqual({
      ...denied,
      spoke: [NOTHING_ALLOWS, denied.spoke[0], ALLOWED],
    });
  });

  it('takes the most approvals, the common approvers, the shortest time and the most harmful class', () => {
    expect(
      strictest([
        { ...asked, approvals: 2, approvers: ['ana', 'ben', 'cleo'], expirySeconds: 600 },
        { ...asked, risk: 'destructive', approvers: ['ben', 'cleo', 'dora'], expirySeconds: 300 },
        asked,
        { ...allowed, risk: 'read' },
      ]),
    ).toEqual({
      decision: 'ask',
      risk: 'destructive',
      approvals: 2,
      approvers: ['ben', 'cleo'],
      expirySeconds: 300,
      spoke: [NOTHING_ALLOWS, ALLOWED],
    });
  });

  it('denies what nobody can approve for all of the alerts', () => {
    const verdict = strictest([
      { ...asked, approvers: ['ana'] },
      { ...asked, approvers: ['ben'] },
    ]);
    expect(verdict).toMatchObject({ decision: 'deny', approvals: 0, approvers: null });
    expect(verdict.spoke.map((one) => one.rule)).toEqual(['nothing-allows', 'nobody-can-approve']);
  });

  it('keeps what two rules of one name said differently', () => {
    const both = strictest([asked, { ...denied, spoke: [{ ...NOTHING_ALLOWS, decision: 'deny' }] }]);
    expect(both.spoke.map(({ decision }) => decision)).toEqual(['ask', 'deny']);
  });

  it('gives no verdict of nothing', () => {
    expect(() => strictest([])).toThrowError('no verdict was given');
  });

  describe('the approvers of a service', () => {
    const asked = { serviceApprovers: ['ben', 'ana'], mode: 'ask' as const };

    it('narrow who may approve, with those whom the rules name', () => {
      expect(judge(question(asked), policy())).toMatchObject({ decision: 'ask', approvers: ['ana', 'ben'] });
      const named = rule({ name: 'payments', decision: 'ask', approvers: ['ben', 'cleo'] });
      expect(judge(question(asked), policy({ rules: [rule(), named] }))).toMatchObject({ approvers: ['ben'] });
      expect(judge(question(asked), policy()).spoke).toContainEqual({
        rule: 'service-approvers',
        decision: 'ask',
        why: 'only ben, ana may approve what is asked about this service',
      });
    });

    it('have nothing to say about what is allowed, denied or a read', () => {
      for (const change of [
        { mode: 'auto' as const },
        { mode: 'observe' as const },
        { call: { risk: 'read' as const } },
      ]) {
        const verdict = judge(question({ ...asked, ...change }), policy());
        expect(verdict.approvers).toBeNull();
        expect(verdict.spoke.map((one) => one.rule)).not.toContain('service-approvers');
      }
    });

    it('are too few for what two must approve', () => {
      const critical = question({ serviceApprovers: ['ana'], call: { risk: 'critical' } });
      expect(judge(critical, policy())).toMatchObject({ decision: 'deny' });
    });
  });
});
