import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contextSchema, type Diagnosis, type StoredEvent } from '../../../src/incident/index.ts';
import { postmortem, type Story } from '../../../src/insights/index.ts';

const at = (seconds: number) => new Date(Date.parse('2026-11-20T22:58:10.000Z') + seconds * 1000);
const SECRET = 'ghp_0123456789abcdefghijklmnopqrstuvwxyzAB';

const diagnosis: Diagnosis = {
  mode: 'model',
  model: 'anthropic/large',
  rootCause: `The pool of connections | is used up, as # the log says; token ${SECRET} was in it.`,
  confidence: 'high',
  inconclusive: false,
  citations: [
    { evidence: 'E1', quote: 'Restart it when the pool is *used up*.' },
    { evidence: 'E9', quote: '<script>alert(1)</script>' },
  ],
  ruledOut: [{ hypothesis: 'the disk is full', why: 'it has 40 % left' }],
  unknowns: ['who holds the connections'],
  review: 'passed',
};

const lines: readonly [seconds: number, type: string, data?: object, actor?: string][] = [
  [0, 'incident.opened', { title: 'CheckoutDown (checkout)', because: 'alertname="CheckoutDown"' }],
  [
    0,
    'alert.firing',
    { labels: { alertname: 'CheckoutDown' }, annotations: { summary: 'no answer | at all' } },
    'alertmanager',
  ],
  [
    1,
    'triage.done',
    {
      specialist: 'application',
      severity: 'critical',
      mode: 'auto',
      blast: { alerts: 2, targets: ['pod/checkout-1'], dependents: ['web', 'app'], why: 'services.yaml' },
    },
  ],
  [4, 'evidence.gathered', { evidence: [], missing: [] }],
  [
    9,
    'diagnosis.made',
    { mode: 'model', model: 'anthropic/large', confidence: 'high', rootCause: 'The pool is used up.' },
  ],
  [10, 'plan.made', { attempt: 1, origin: 'runbook:checkout.md', actions: [] }],
  [11, 'policy.decided', { decision: 'ask', tool: 'supervisor.restart', target: 'shop:process checkout' }],
  [11, 'approval.requested', { card: ['INC-7 asks'] }],
  [431, 'approval.decided', { decision: 'approve', via: 'slack', reason: '', status: 'approved' }, 'ada'],
  [
    432,
    'action.started',
    { action: 'act-1', tool: 'supervisor.restart', target: 'shop:process checkout', grantor: 'ada', approval: 'abc' },
  ],
  [
    433,
    'action.succeeded',
    { action: 'act-1', tool: 'supervisor.restart', target: 'shop:process checkout', result: { pid: 7 } },
  ],
  [434, 'verification.started', { after: 'action' }],
  [
    440,
    'verification.recovered',
    { checks: [{ check: 'http.probe: status == 200', passed: true, saw: '' }], after: 'action' },
  ],
  [441, 'incident.resolved', { attempts: 1, seconds: 441 }],
  [600, 'person.rated', { helpful: true }, 'ada'],
];

const story: Story = {
  incident: {
    id: 7,
    state: 'resolved',
    version: 9,
    wakeSeq: 0,
    jobId: null,
    cycle: 1,
    correlationKey: 'k',
    title: 'CheckoutDown (checkout)',
    severity: 'critical',
    labels: { alertname: 'CheckoutDown', service: 'checkout' },
    traceId: 't',
    context: { ...contextSchema.parse({ v: 1 }), diagnosis },
    openedAt: at(0),
    updatedAt: at(441),
    closedAt: at(441),
    parentId: null,
    service: 'checkout',
    isForeign: false,
    glimpse: null,
  },
  service: { name: 'checkout', team: 'commerce' },
  alerts: [
    {
      source: 'alertmanager',
      fingerprint: 'a',
      status: 'resolved',
      labels: { alertname: 'CheckoutDown', service: 'checkout' },
      annotations: {},
      startsAt: at(-320),
      endsAt: at(441),
      generatorUrl: null,
      receivedAt: at(0),
    },
  ],
  under: ['INC-8'],
  events: lines.map(
    ([seconds, type, data = {}, actor = 'nightshift'], index): StoredEvent => ({
      id: index + 1,
      incidentId: 7,
      at: at(seconds),
      type,
      actor,
      data: data as Record<string, unknown>,
    }),
  ),
  evidence: [{ ref: 'E1', kind: 'runbook', title: 'Checkout is down (checkout.md:3-9)', content: '', origin: {} }],
  actions: [
    {
      id: 'act-1',
      incidentId: 7,
      cycle: 1,
      attempt: 1,
      ordinal: 1,
      instance: 'shop',
      tool: 'supervisor.restart',
      arguments: { process: 'checkout' },
      target: 'shop:process checkout',
      risk: 'safe',
      undo: '',
      definitionSha256: '',
      labels: {},
      fingerprint: 'f',
      origin: 'runbook:checkout.md',
      reason: '',
      expectedEffect: '',
      status: 'succeeded',
      decision: null,
      result: null,
      requestedBy: null,
      inspection: null,
      undoOf: null,
      effect: 'healed',
      createdAt: at(10),
      sentAt: at(432),
    },
  ],
  approvals: [
    {
      id: 'abc',
      incidentId: 7,
      actionId: 'act-1',
      digest: '',
      subject: {} as never,
      required: 1,
      status: 'approved',
      expiresAt: at(900),
      createdAt: at(11),
      decidedAt: at(431),
      usedAt: at(432),
      votes: [{ principal: 'ada', decision: 'approve', reason: '', via: 'slack', at: at(431) }],
    },
  ],
  costUsd: 0.0421,
};

describe('a post-mortem', () => {
  it('is the golden one, word for word', () => {
    expect(postmortem(story)).toBe(readFileSync(join(import.meta.dirname, 'postmortem.golden.md'), 'utf8'));
  });

  it('holds no secret, and no text from outside stands for anything but itself', () => {
    const text = postmortem(story);
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain('<script>');
    expect(text).toContain('\\<script\\>');
    const rows = text.split('\n').filter((line) => line.startsWith('| 2026-'));
    // However many strokes an alert holds, a line of the timeline has three cells.
    for (const row of rows) expect(row.replaceAll('\\|', '').split('|')).toHaveLength(5);
  });

  it('tells of the last time where it fired again, and of the whole timeline', () => {
    const again: StoredEvent[] = [
      [1000, 'alert.firing', 'alertmanager'],
      [1001, 'incident.reopened', 'nightshift'],
      [1031, 'incident.escalated', 'nightshift'],
      [1100, 'incident.resolved', 'ben'],
    ].map(([seconds, type, actor], index) => ({
      id: 100 + index,
      incidentId: 7,
      at: at(seconds as number),
      type: type as string,
      actor: actor as string,
      data: { reason: 'it flaps' },
    }));
    const text = postmortem({
      ...story,
      incident: { ...story.incident, cycle: 2, closedAt: at(1100) },
      events: [...story.events, ...again],
    });
    expect(text).toContain(
      'Nightshift heard of it on 2026-11-20 23:14:50 UTC. People brought it to its end. It took 1 min 40 s',
    );
    expect(text).toContain(
      '| time to act (until something was sent, a person was asked, or it was handed over) | 31 s |',
    );
    expect(text).toContain('| 2026-11-20 22:58:10 | received: CheckoutDown (checkout) | nightshift |');
    expect(text).toContain('- [ ] Why did it fire 2 times?');
  });

  it('says so where nothing is known yet', () => {
    const { incident } = story;
    const text = postmortem({
      ...story,
      incident: { ...incident, state: 'received', closedAt: null, context: contextSchema.parse({ v: 1 }) },
      events: [],
      actions: [],
      approvals: [],
      evidence: [],
      under: [],
      service: null,
    });
    expect(text).toContain('Nightshift works on it; it is not over.');
    expect(text).toContain('It was not diagnosed.');
    expect(text).toContain('Nightshift changed nothing.');
    expect(text).toContain('| time to resolve | not yet |');
  });
});
