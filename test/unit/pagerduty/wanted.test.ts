import { describe, expect, it } from 'vitest';
import { contextSchema, type Incident, type State, type StoredEvent } from '../../../src/incident/index.ts';
import { levelOf, nextLevel } from '../../../src/pagerduty/escalate.ts';
import { wantedCalls } from '../../../src/pagerduty/wanted.ts';

const DIAGNOSIS = {
  mode: 'runbook',
  model: null,
  rootCause: 'It is\nstuck\u202e.',
  confidence: 'low',
  inconclusive: true,
  citations: [],
  ruledOut: [],
  unknowns: [],
};

function wanted(
  state: State,
  types: (string | [string, Record<string, unknown>])[],
  context: Record<string, unknown> = {},
) {
  const incident = { id: 7, state, cycle: 1, context: contextSchema.parse({ v: 1, ...context }) } as Incident;
  const events = types.map((type, index): StoredEvent => {
    const [name, data] = typeof type === 'string' ? [type, {}] : type;
    return { id: index + 1, incidentId: 7, at: new Date(0), type: name, actor: 'nightshift', data };
  });
  return wantedCalls({ incident, events, link: 'https://n.example/7' });
}
const triaged = (mode: string): [string, Record<string, unknown>] => ['triage.done', { mode }];
const kinds = (...given: Parameters<typeof wanted>) => wanted(...given).map(({ kind }) => kind);

describe('what PagerDuty should be told', () => {
  it.each([
    ['received', []],
    ['triaged', ['acknowledge']],
    ['awaiting_approval', ['acknowledge']],
    ['verifying', ['acknowledge']],
    ['escalated', []],
    ['resolved', ['resolve']],
    ['stopped', ['note']],
  ] as const)('while %s: %j', (state, expected) => {
    expect(kinds(state, [triaged('auto')])).toEqual(expected);
    expect(kinds(state, [triaged('ask')])).toEqual(expected);
  });

  it('is never an acknowledgement or an escalation in the mode observe, but the end is', () => {
    expect(kinds('diagnosed', [triaged('observe')], { diagnosis: DIAGNOSIS })).toEqual(['note']);
    expect(kinds('escalated', [triaged('observe'), 'incident.escalated'])).toEqual(['note']);
    expect(kinds('resolved', [triaged('observe')])).toEqual(['resolve']);
  });

  it('is a diagnosis on one line, with a link', () => {
    const [, note] = wanted('diagnosed', [triaged('auto')], { diagnosis: DIAGNOSIS });
    expect(note?.words).toBe('Diagnosis (confidence low, inconclusive): It is stuck .\nhttps://n.example/7');
  });

  it('is one escalation at a time, the latest, and none once somebody had an answer', () => {
    const twice = [triaged('auto'), 'incident.escalated', 'plan.asked_again', 'incident.escalated'];
    const calls = wanted('escalated', twice);
    expect(calls.filter(({ kind }) => kind === 'note')).toHaveLength(2);
    expect(calls.filter(({ kind }) => kind === 'escalate').map(({ purpose }) => purpose)).toEqual(['7:1:escalate:4']);
    expect(kinds('verifying', twice)).not.toContain('escalate');
  });

  it('goes by what was said since the incident was opened again', () => {
    const events = [
      triaged('auto'),
      'incident.escalated',
      'incident.resolved',
      'incident.reopened',
      triaged('observe'),
    ];
    expect(kinds('escalated', events)).toEqual([]);
  });
});

describe('the level of an escalation', () => {
  const onCalls = [
    { level: 1, userId: 'A' },
    { level: 2, userId: 'A' },
    { level: 2, userId: 'B' },
    { level: 4, userId: 'C' },
  ];
  it.each([
    [['A'], 1, 2],
    [['B'], 2, 4],
    [['C'], 4, 4],
    [['A', 'B'], 1, 4],
    [['nobody'], 1, 2],
    [[], 1, 2],
  ])('of %j is %i, and then %i', (assignees, present, next) => {
    expect(levelOf({ assignees }, onCalls)).toBe(present);
    expect(nextLevel({ assignees }, onCalls)).toBe(next);
  });
  it('stays where nobody is on call', () => expect(nextLevel({ assignees: ['A'] }, [])).toBe(1));
});
