import { describe, expect, it } from 'vitest';
import type { ModelCall, TimelineEvent, WholeIncident } from '../../../web/src/api/shapes.ts';
import { readCard } from '../../../web/src/approval/read-card.ts';
import { span } from '../../../web/src/components/time.ts';
import { asItWas } from '../../../web/src/incident/as-it-was.ts';
import { splitAtQuote } from '../../../web/src/incident/quote.ts';
import { tell } from '../../../web/src/incident/story.ts';
import { browserOf } from '../../../web/src/sign-in/browser.ts';

const moment = (second: number) => new Date(Date.UTC(2026, 10, 1, 3, 0, second)).toISOString();

let ids = 0;
function event(type: string, second: number, data: Record<string, unknown> = {}): TimelineEvent {
  ids += 1;
  return { id: ids, incident: 'INC-1', at: moment(second), type, actor: 'nightshift', data, words: type };
}

const EVENTS = [
  event('incident.opened', 0),
  event('alert.firing', 0),
  event('triage.done', 1),
  event('evidence.gathered', 2, { evidence: [{ ref: 'E1' }] }),
  event('model.answered', 4, { role: 'diagnose' }),
  event('diagnosis.made', 4),
  event('plan.made', 5),
  event('policy.decided', 5),
  event('approval.requested', 5, { approval: 'ap1' }),
  event('approval.decided', 65, { approval: 'ap1' }),
  event('action.started', 66, { action: 'act-1' }),
  event('action.succeeded', 67, { action: 'act-1' }),
  event('verification.recovered', 70),
  event('incident.resolved', 70),
];

const call = (role: string, second: number): ModelCall => ({
  id: second,
  at: moment(second),
  role,
  model: 'worker',
  outcome: 'answered',
  error: null,
  degraded: null,
  inputTokens: 1,
  cachedTokens: null,
  outputTokens: 1,
  costUsd: null,
  latencyMs: 1,
  prompts: [],
  request: null,
  answer: null,
});

describe('a timeline told as a story', () => {
  it('has a chapter for each stage in turn, each with what it took, waiting included', () => {
    const chapters = tell(EVENTS, []);
    expect(chapters.map(({ stage, seconds }) => [stage, seconds])).toEqual([
      ['received', 0],
      ['triaged', 1],
      ['investigated', 1],
      ['diagnosed', 2],
      ['planned', 1],
      ['awaiting_approval', 60],
      ['acting', 2],
      ['verifying', 3],
      ['resolved', 0],
    ]);
    expect(chapters.flatMap(({ lines }) => lines)).toHaveLength(EVENTS.length);
  });

  it('puts every model call to the event that tells of it, or in its place where none does', () => {
    const chapters = tell(EVENTS, [call('diagnose', 3), call('rerank', 2)]);
    const lines = chapters.flatMap(({ stage, lines: own }) => own.map((line) => ({ stage, ...line })));
    expect(lines.find(({ event: one }) => one?.type === 'model.answered')?.calls.map(({ role }) => role)).toEqual([
      'diagnose',
    ]);
    const alone = lines.find(({ event: one }) => one === null);
    expect(alone).toMatchObject({ stage: 'investigated', calls: [{ role: 'rerank' }] });
    expect(lines.flatMap(({ calls }) => calls)).toHaveLength(2);
    // What no event tells of yet comes last.
    expect(
      tell(EVENTS, [call('plan', 71)])
        .at(-1)
        ?.lines.at(-1)?.event,
    ).toBe(null);
  });
});

describe('an incident as it was', () => {
  const timeline = [
    event('incident.opened', 0),
    event('alert.firing', 0, { fingerprint: 'f1' }),
    event('incident.held', 1, { because: 'it is folded under INC-9' }),
    event('triage.done', 2),
    event('evidence.gathered', 2, { evidence: [{ ref: 'E1' }] }),
    event('diagnosis.made', 4, { rootCause: 'then' }),
    event('plan.made', 5),
    event('policy.decided', 7, { action: 'act-1', decision: 'ask' }),
    event('approval.requested', 7, { approval: 'ap1', action: 'act-1' }),
    event('approval.decided', 65, { approval: 'ap1', action: 'act-1', status: 'approved' }),
    event('action.started', 66, { action: 'act-1' }),
    event('action.succeeded', 67, { action: 'act-1' }),
    event('verification.recovered', 70),
    event('alert.resolved', 70, { fingerprint: 'f1' }),
    event('incident.resolved', 71),
    event('alert.firing', 600, { fingerprint: 'f1' }),
    event('incident.reopened', 601, { cycle: 2 }),
    event('incident.flapping', 602),
    event('incident.escalated', 603, { reason: 'it is flapping' }),
  ];
  const incident = {
    id: 'INC-1',
    state: 'escalated',
    openedAt: moment(0),
    closedAt: null,
    needs: 'it is flapping',
    held: null,
    flapping: true,
    cycle: 2,
    costUsd: 3,
    foldedUnder: null,
    incidents: ['INC-4'],
    diagnosis: { rootCause: 'now', ruledOut: [] },
    evidence: [{ ref: 'E1' }],
    actions: [
      {
        id: 'act-1',
        createdAt: moment(6),
        status: 'succeeded',
        result: 'RUNNING',
        effect: 'healed',
        decision: { decision: 'ask' },
        inspection: { preview: ['starts it'] },
      },
    ],
    approvals: [{ id: 'ap1', action: 'act-1', status: 'approved', decidedAt: moment(65), votes: [{ at: moment(65) }] }],
    alerts: [{ fingerprint: 'f1', status: 'firing', receivedAt: moment(600) }],
    events: timeline,
  } as unknown as WholeIncident;
  const calls = [
    { ...call('diagnose', 3), costUsd: 1 },
    { ...call('plan', 604), costUsd: 2 },
  ];
  const at = (type: string) =>
    asItWas(
      incident,
      timeline.findIndex((one) => one.type === type),
      calls,
    );
  const nothing = { decision: null, inspection: null, result: null, effect: null };

  it('has nothing yet that came later', () => {
    expect(at('incident.opened')).toMatchObject({ alerts: [], held: null, cycle: 1, flapping: false, costUsd: 0 });
    expect(at('incident.held')).toMatchObject({ held: 'it is folded under INC-9', alerts: [{ status: 'firing' }] });
    expect(at('triage.done')).toMatchObject({
      state: 'triaged',
      needs: null,
      held: null,
      incidents: [],
      diagnosis: null,
      evidence: [],
      actions: [],
      approvals: [],
    });
    expect(at('evidence.gathered').evidence).toHaveLength(1);
    expect(at('diagnosis.made')).toMatchObject({ diagnosis: { rootCause: 'then' }, costUsd: 1 });
    expect(at('plan.made').actions).toMatchObject([{ status: 'proposed', ...nothing }]);
    expect(at('policy.decided').actions).toMatchObject([{ decision: { decision: 'ask' }, result: null }]);
    expect(at('approval.requested')).toMatchObject({
      state: 'awaiting_approval',
      actions: [{ status: 'asked', result: null, effect: null }],
      approvals: [{ status: 'pending', votes: [] }],
    });
    expect(at('approval.decided')).toMatchObject({
      actions: [{ status: 'approved' }],
      approvals: [{ status: 'approved', votes: [{}] }],
    });
    expect(at('action.started').actions).toMatchObject([{ status: 'started', result: null, effect: null }]);
    expect(at('action.succeeded').actions).toMatchObject([{ status: 'succeeded', result: 'RUNNING', effect: null }]);
    expect(at('verification.recovered')).toMatchObject({
      actions: [{ effect: 'healed' }],
      alerts: [{ status: 'firing' }],
    });
    expect(at('incident.resolved')).toMatchObject({
      state: 'resolved',
      closedAt: moment(71),
      needs: null,
      cycle: 1,
      flapping: false,
      alerts: [{ status: 'resolved' }],
    });
    expect(at('incident.escalated')).toMatchObject({
      state: 'escalated',
      closedAt: null,
      needs: 'it is flapping',
      cycle: 2,
      flapping: true,
      costUsd: 1,
      diagnosis: null,
    });
  });

  it('is as it is now where no event is chosen', () => {
    expect(asItWas(incident, null, calls)).toBe(incident);
  });
});

describe('a card', () => {
  it('is taken apart without a word being changed', () => {
    const card = [
      'INC-2 Spool (checkout) asks for an approval: abc',
      '  runs:     host.purge {"directory":"x"}',
      '  would:    deletes 2 files',
      '            in /spool',
      '  undo:     none: they are gone',
    ];
    const { headline, lines } = readCard(card);
    expect(headline).toBe(card[0]);
    expect(lines).toEqual([
      { about: 'runs', says: ['host.purge {"directory":"x"}'] },
      { about: 'would', says: ['deletes 2 files', 'in /spool'] },
      { about: 'undo', says: ['none: they are gone'] },
    ]);
  });

  it('lets no line of a dry run pass for a line of its own', () => {
    const { lines } = readCard([
      'INC-2',
      '  would:    deletes',
      '            undo:     everything comes back',
      '  undo:     none',
    ]);
    expect(lines).toEqual([
      { about: 'would', says: ['deletes', 'undo:     everything comes back'] },
      { about: 'undo', says: ['none'] },
    ]);
  });
});

describe('a quote', () => {
  it('is found with other white space, and marked as it stands', () => {
    expect(splitAtQuote('a (b)\n  c d', '(B) c')).toEqual(['a ', '(b)\n  c', ' d']);
    expect(splitAtQuote('a b', 'x')).toEqual(['a b', '', '']);
    expect(splitAtQuote('a b', ' ')).toEqual(['a b', '', '']);
  });
});

describe('a length of time', () => {
  it.each([
    [0.0124, '12 ms'],
    [4.3, '4.3 s'],
    [59.4, '59 s'],
    [61, '1 min 1 s'],
    [300.4, '5 min'],
    [3700, '1 h 1 min'],
    [86_400, '24 h'],
    [200_000, '2 d 7 h'],
  ])('of %s seconds is %s', (seconds, words) => {
    expect(span(seconds)).toBe(words);
  });
});

describe('the browser of a session', () => {
  it.each([
    [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
      'Chrome on Linux',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
      'Safari on iOS',
    ],
    [
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0',
      'Edge on Windows',
    ],
    ['Lynx/2.9', 'Lynx/2.9'],
  ])('%s is named', (client, words) => {
    expect(browserOf(client)).toBe(words);
  });
});
