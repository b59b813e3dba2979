import { describe, expect, it } from 'vitest';
import { judge, type Picture, RULES, type Rule, type SeenIncident } from '../../chaos/judge.ts';

const STARTED = '2026-11-01T10:00:00.000Z';

function incident(change: Partial<SeenIncident> = {}): SeenIncident {
  return {
    id: 'INC-1',
    state: 'resolved',
    cycle: 1,
    needs: null,
    labels: { alertname: 'Heals', service: 'svc-0' },
    alerts: [{ status: 'resolved', startsAt: STARTED }],
    actions: [action('rig.restart', 'succeeded')],
    events: [
      ...told(),
      event(1, 'triage.done'),
      event(2, 'action.started', { action: 'a1' }),
      event(3, 'action.succeeded', { action: 'a1' }),
      event(4, 'incident.resolved'),
    ],
    ...change,
  };
}

/** What the timeline says of the alert itself. */
const told = (startsAt = STARTED) =>
  (['firing', 'resolved'] as const).map((status) => event(0, `alert.${status}`, { startsAt }));
const event = (id: number, type: string, data: Record<string, unknown> = {}) => ({
  id,
  type,
  actor: 'nightshift',
  data,
});
const action = (tool: string, status: string, id = 'a1') => ({ id, tool, status, arguments: { service: 'svc-0' } });
const effect = (tool: string, at = 100, service = 'svc-0') => ({ service, tool, at, answered: true });

/** A run in which nothing is wrong: a service fell ill, was restarted once, and is well. */
function picture(change: Partial<Picture> = {}): Picture {
  return {
    accepted: [
      { service: 'svc-0', round: 1, status: 'firing', startsAt: STARTED },
      { service: 'svc-0', round: 1, status: 'resolved', startsAt: STARTED },
    ],
    effects: [effect('rig.restart')],
    said: [],
    incidents: [incident()],
    healthy: new Set(['svc-0']),
    unanswered: new Set(),
    heard: [{ channel: 'webhook', incidents: new Set() }],
    told: [],
    posts: [{ key: 'i/1', at: 1, answered: true }],
    notes: ['nightshift note i-1'],
    audit: [],
    crashes: [],
    refused: [],
    ...change,
  };
}

const escalated = (change: Partial<SeenIncident> = {}) =>
  incident({ state: 'escalated', events: [...told(), event(1, 'incident.escalated')], actions: [], ...change });
const purged = { actions: [action('rig.purge', 'succeeded')] };
const unknown = [...told(), event(3, 'action.unknown', { action: 'a1' })];

/** For every rule, pictures that break it and no other. */
const BROKEN: Readonly<Record<Rule, readonly (readonly [words: string, picture: Picture])[]>> = {
  lost: [
    ['no incident', picture({ incidents: [], effects: [] })],
    ['an incident of another alert', picture({ incidents: [incident({ alerts: [] })] })],
    ['a timeline that is silent', picture({ incidents: [incident({ events: incident().events.slice(2) })] })],
    [
      'a second illness that nobody knows of',
      picture({
        accepted: [
          ...picture().accepted,
          { service: 'svc-0', round: 2, status: 'firing', startsAt: '2026-11-01T11:00:00.000Z' },
        ],
      }),
    ],
    [
      'an end that was not heard',
      picture({ incidents: [incident({ alerts: [{ status: 'firing', startsAt: STARTED }] })] }),
    ],
  ],
  doubled: [
    [
      'the same thing twice',
      picture({
        effects: [effect('rig.restart'), effect('rig.restart', 200)],
        incidents: [
          incident({
            actions: [action('rig.restart', 'succeeded'), action('rig.restart', 'unknown', 'a2')],
            events: [
              ...incident().events,
              event(5, 'action.unknown', { action: 'a2' }),
              event(6, 'verification.recovered'),
            ],
          }),
        ],
      }),
    ],
  ],
  unapproved: [
    ['nobody asked', picture({ effects: [effect('rig.purge')], incidents: [incident(purged)] })],
    [
      'a yes that came later',
      picture({
        effects: [effect('rig.purge', 100)],
        incidents: [incident(purged)],
        said: [{ service: 'svc-0', what: 'approve', at: 101 }],
      }),
    ],
    [
      'a yes about something else',
      picture({
        effects: [effect('rig.purge')],
        incidents: [incident(purged)],
        said: [{ service: 'svc-1', what: 'approve', at: 1 }],
      }),
    ],
  ],
  denied: [
    [
      'in spite of a no',
      picture({
        effects: [effect('rig.purge')],
        incidents: [incident(purged)],
        said: [
          { service: 'svc-0', what: 'approve', at: 1 },
          { service: 'svc-0', what: 'deny', at: 2 },
        ],
      }),
    ],
  ],
  'untold effect': [
    [
      'an action that is said to have failed',
      picture({ incidents: [incident({ actions: [action('rig.restart', 'failed')] })] }),
    ],
    ['no action at all', picture({ incidents: [incident({ actions: [] })] })],
  ],
  'invented effect': [['a success of which nothing happened', picture({ effects: [] })]],
  'silent unknown': [
    [
      'nobody looked',
      picture({
        incidents: [incident({ actions: [action('rig.restart', 'unknown')], events: unknown })],
      }),
    ],
    [
      'the timeline is silent',
      picture({
        incidents: [
          incident({
            actions: [action('rig.restart', 'unknown')],
            events: [...told(), event(1, 'verification.recovered')],
          }),
        ],
      }),
    ],
  ],
  stuck: [
    ['at work for ever', picture({ incidents: [incident({ state: 'diagnosed' })] })],
    [
      'a question to somebody who would have answered',
      picture({ incidents: [incident({ state: 'awaiting_approval' })] }),
    ],
  ],
  'landed twice': [
    ['resolved', picture({ incidents: [incident({ events: [...incident().events, event(5, 'incident.resolved')] })] })],
    ['triaged', picture({ incidents: [incident({ events: [event(0, 'triage.done'), ...incident().events] })] })],
    [
      'started',
      picture({
        incidents: [incident({ events: [...incident().events, event(5, 'action.started', { action: 'a1' })] })],
      }),
    ],
    [
      'two outcomes',
      picture({
        incidents: [incident({ events: [...incident().events, event(5, 'action.failed', { action: 'a1' })] })],
      }),
    ],
  ],
  'resolved while ill': [['nobody is well', picture({ healthy: new Set() })]],
  'nobody told': [['a person was needed', picture({ effects: [], incidents: [escalated()] })]],
  'posted twice': [
    [
      'with every answer heard',
      picture({
        posts: [
          { key: 'i/1', at: 1, answered: true },
          { key: 'i/1', at: 2, answered: true },
        ],
      }),
    ],
    [
      'more often than answers were lost',
      picture({ posts: [1, 2, 3].map((at) => ({ key: 'i/1', at, answered: at > 1 })) }),
    ],
  ],
  'noted twice': [['the same key', picture({ notes: ['nightshift note i-1', 'nightshift note i-1'] })]],
  audit: [['a broken chain', picture({ audit: ['chain broken: seal 4'] })]],
  crashed: [['an end by itself', picture({ crashes: ['it ended with 1'] })]],
  refused: [['an alert that was in order', picture({ refused: ['svc-0: 400'] })]],
};

describe('the judge of chaos', () => {
  it('finds nothing where nothing is wrong', () => {
    expect(judge(picture())).toEqual([]);
  });

  it.each(RULES.flatMap((rule) => BROKEN[rule].map(([words, broken]) => ({ rule, words, broken }))))(
    'finds what breaks "$rule": $words',
    ({ rule, broken }) => {
      expect(new Set(judge(broken).map((violation) => violation.rule))).toEqual(new Set([rule]));
    },
  );

  it('takes an effect whose action is unknown for told', () => {
    const events = [...unknown, event(4, 'verification.recovered')];
    expect(judge(picture({ incidents: [incident({ actions: [action('rig.restart', 'unknown')], events })] }))).toEqual(
      [],
    );
  });

  it('lets a service be mended once each time that it falls ill', () => {
    const again = '2026-11-01T11:00:00.000Z';
    const second = (['firing', 'resolved'] as const).map((status) => ({
      service: 'svc-0',
      round: 2,
      status,
      startsAt: again,
    }));
    const twice = incident({
      cycle: 2,
      alerts: [{ status: 'resolved', startsAt: again }],
      actions: [action('rig.restart', 'succeeded'), action('rig.restart', 'succeeded', 'a2')],
      events: [
        ...incident().events,
        ...told(again),
        event(5, 'incident.reopened'),
        event(6, 'triage.done'),
        event(7, 'incident.resolved'),
      ],
    });
    const effects = [effect('rig.restart', 1), effect('rig.restart', 2)];
    expect(judge(picture({ accepted: [...picture().accepted, ...second], incidents: [twice], effects }))).toEqual([]);
  });

  it('lets a question wait that nobody in the run answers', () => {
    const waits = incident({ state: 'awaiting_approval', actions: [], events: told() });
    expect(judge(picture({ effects: [], incidents: [waits], unanswered: new Set(['svc-0']) }))).toEqual([]);
  });
});
