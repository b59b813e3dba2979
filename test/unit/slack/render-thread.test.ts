import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/approval/index.ts';
import { ACTION_IDS, decisionValueSchema, incidentValueSchema } from '../../../src/slack/render-buttons.ts';
import { renderThread } from '../../../src/slack/render-thread.ts';
import { redactValue } from '../../../src/telemetry/index.ts';
import {
  AT,
  action,
  approval,
  buttonsOf,
  event,
  incident,
  partsOf,
  rendered,
  shownTexts,
  view,
} from './render-examples.ts';

const CARD = 'card:appr234567';
const said = (purpose: string, change = {}) => shownTexts(rendered(purpose, change)).join('\n');
const purposes = (change = {}) => renderThread(view(change)).map(({ purpose }) => purpose);

describe('the card of a question', () => {
  it('shows what exactly will run, on what, why, what it risks, how it is undone, who may approve and until when', () => {
    const text = said(CARD);
    expect(text).toContain(
      'instance   spool-eu\ntool       host.purge\narguments  {"directory":"shop"}\ntarget     spool-eu:directory shop',
    );
    expect(text).toContain('would delete 3 files:\n  a.job\n  b.job');
    for (const shown of [
      'INC-7 asks for an approval: SpoolStuck (shop)',
      'the runbook spool.md says: “The poison job blocks all others.”',
      'destructive: it changes or deletes what may not come back',
      'it cannot be undone',
      'anna, bob, but not carl',
      '2026-11-01T10:15:00.000Z',
      'it changes or deletes what cannot be brought back (risk-destructive)',
      'approval appr234567',
    ])
      expect(text).toContain(shown);
  });

  it('binds its buttons to the digest of what it shows, and is seen in the channel', () => {
    const card = rendered(CARD);
    expect(card).toMatchObject({ broadcast: true, urgent: true, onlyUpdate: false });
    const values = partsOf(card.blocks).flatMap(({ type, action_id: id, value }) =>
      type === 'button' ? [[id, value]] : [],
    );
    const [approve, deny, details] = values.map(([id, value]) => ({ id, value: JSON.parse(String(value)) as unknown }));
    const value = { approval: 'appr234567', digest: approval().digest };
    expect(approve).toEqual({ id: ACTION_IDS.approve, value: decisionValueSchema.parse(value) });
    expect(deny).toEqual({ id: ACTION_IDS.deny, value });
    expect(details).toEqual({ id: ACTION_IDS.details, value: incidentValueSchema.parse({ incident: 7 }) });
    expect(values).toHaveLength(3);
  });

  it.each([
    ['the arguments', { arguments: { paths: 'x'.repeat(2000) } }],
    ['the target', { target: `spool-eu:${'x'.repeat(2000)}` }],
    ['the preview', { preview: Array.from({ length: 100 }, (_, index) => `would delete file number ${index}`) }],
    ['letters that must be escaped', { arguments: { name: 'я'.repeat(400) } }],
  ])('cannot be approved when %s cannot be shown in full', (_what, about) => {
    const card = rendered(CARD, { approvals: [approval({}, about)] });
    expect(buttonsOf(card)).toEqual([ACTION_IDS.deny, ACTION_IDS.details]);
    expect(shownTexts(card).join('\n')).toContain(
      'It cannot be approved here: it is too long to show in full. Decide in the CLI: nightshift approvals',
    );
  });

  it('can be approved right up to that length', () => {
    const empty = approval({}, { arguments: { paths: '' } });
    const call = said(CARD, { approvals: [empty] }).match(/instance {3}[\s\S]*?shop$/m)?.[0] ?? '';
    const room = 2000 - call.length;
    const fits = (length: number) =>
      buttonsOf(rendered(CARD, { approvals: [approval({}, { arguments: { paths: 'x'.repeat(length) } })] }));
    expect(fits(room)).toContain(ACTION_IDS.approve);
    expect(fits(room + 1)).not.toContain(ACTION_IDS.approve);
  });

  it('cannot be approved when the stored question is not the one that was asked', () => {
    const changed = { ...approval(), digest: digestOf({ ...approval().subject, nonce: 'another' }) };
    const card = rendered(CARD, { approvals: [changed] });
    expect(buttonsOf(card)).not.toContain(ACTION_IDS.approve);
    expect(shownTexts(card).join('\n')).toContain('the stored question is not the one that was asked');
  });

  it('tells of a secret that is put back: where it goes, where it stands and how long it is', () => {
    const secret = {
      argument: 'token',
      characters: 16,
      alert: 'Leak (shop)',
      field: 'annotation',
      name: 'note',
    } as const;
    const token = '[redacted:secret-value#1f2e3d4c]';
    const card = (count: number) => {
      const secrets = Array.from({ length: count }, () => ({ ...secret, places: 3 }));
      return rendered(CARD, { approvals: [approval({}, { arguments: { token }, secrets })] });
    };
    const line =
      'a secret of 16 characters is put into the argument "token" when it is sent; it stands in the annotation "note" of "Leak (shop)" (and in 2 more labels or annotations)';
    const text = shownTexts(card(1)).join('\n');
    expect(text).toContain(line);
    // What stands for it names it no more to people, so that the call is not shown in full here.
    expect(text).toContain('it holds what looks like a secret');
    expect(buttonsOf(card(1))).not.toContain(ACTION_IDS.approve);
    expect(shownTexts(card(10)).filter((one) => one === line)).toHaveLength(8);
    expect(shownTexts(card(10)).join('\n')).toContain('2 more; nightshift approvals shows them all');
    // What takes secrets out on the way to Slack takes nothing out of this.
    expect(JSON.stringify(redactValue(card(1).blocks))).toContain(JSON.stringify(line));
    expect(said(CARD)).not.toContain('a secret of');
  });

  it('takes nothing of what would run from the action', () => {
    const lie = action({
      tool: 'host.list',
      arguments: { directory: 'nothing' },
      target: 'elsewhere',
      instance: 'other',
    });
    expect(said(CARD, { actions: [lie] })).toBe(said(CARD));
    expect(said(CARD, { actions: [] })).toContain('tool       host.purge');
  });

  it('says how many have agreed so far', () => {
    const votes = [{ principal: 'anna', decision: 'approve' as const, reason: 'looks right', via: 'slack', at: AT }];
    const text = said(CARD, { approvals: [approval({ votes }, { required: 2 })] });
    expect(text).toContain('asks for 2 approvals');
    expect(text).toContain('anna approved via slack: “looks right”');
    expect(text).toContain('2 of anna, bob');
  });

  it.each([
    ['approved', '✅ approved: host.purge on spool-eu:directory shop'],
    ['denied', '⛔ denied: host.purge on spool-eu:directory shop'],
    ['expired', '⌛ expired unanswered: host.purge'],
    ['superseded', '➖ no longer needed: host.purge'],
  ] as const)('has no button once it is %s, and says who decided and where', (status, heading) => {
    const votes = [{ principal: 'anna', decision: 'deny' as const, reason: 'not now', via: 'cli', at: AT }];
    const card = rendered(CARD, { approvals: [approval({ status, votes })] });
    expect(buttonsOf(card)).toEqual([]);
    expect(card).toMatchObject({ onlyUpdate: true, urgent: false });
    expect(shownTexts(card).join('\n')).toContain(heading);
    expect(shownTexts(card).join('\n')).toContain('anna denied via cli: “not now”');
  });
});

describe('the root of a thread', () => {
  it('says what it is about and how it stands, with the buttons of an open incident', () => {
    const text = said('root');
    for (const shown of [
      '❓ INC-7 SpoolStuck (shop)',
      'waits for an approval',
      'critical',
      'auto',
      '1 firing, 0 resolved',
      'alertname=SpoolStuck, service=shop',
      'The alert says: ',
      '“jobs pile up”',
    ])
      expect(text).toContain(shown);
    expect(buttonsOf(rendered('root'))).toEqual([ACTION_IDS.details, ACTION_IDS.takeOver, ACTION_IDS.stopEverything]);
  });

  it.each(['resolved', 'stopped'] as const)('has no buttons when the incident is %s', (state) => {
    expect(buttonsOf(rendered('root', { incident: incident({ state }) }))).toEqual([]);
  });

  it('says how many questions wait without a card', () => {
    expect(said('root', { heldCards: 1 })).toContain('1 more question waits: nightshift approvals');
    expect(said('root', { heldCards: 3 })).toContain('3 more questions wait: nightshift approvals');
    expect(said('root')).not.toContain('more question');
  });
});

describe('the diagnosis', () => {
  it('is told as the model’s, with title and quote of what it cites', () => {
    const text = said('diagnosis:1');
    expect(text).toContain('The model anthropic/claude says: \n“A poison job blocks the spool.”');
    expect(text).toContain('E1 \nrunbook: Spool is stuck: “Purge the spool.”');
    expect(text).toContain('the disk is full: 40 % are free');
    expect(text).toContain('who wrote the job');
  });

  it('is not there before it is made', () => {
    const none = incident({ context: { ...incident().context, diagnosis: null } });
    expect(purposes({ incident: none })).not.toContain('diagnosis:1');
  });
});

describe('an attempt', () => {
  const ran = action({ status: 'succeeded', result: { result: { deleted: 3 } }, effect: 'healed' });
  const checks = [{ check: 'http.probe {}: status == 200', passed: true, saw: '' }];

  it('has a message once something is cleared, none while it only waits', () => {
    expect(purposes()).not.toContain('attempt:1.1');
    expect(purposes({ actions: [action({ status: 'allowed' })] })).toContain('attempt:1.1');
    const second = action({ id: 'act-2', attempt: 2, status: 'failed' });
    expect(purposes({ actions: [ran, second] })).toEqual(expect.arrayContaining(['attempt:1.1', 'attempt:1.2']));
  });

  it('shows what ran, what the tool says and what the checks say', () => {
    const events = [event('action.succeeded', { action: 'act-1' }), event('verification.recovered', { checks })];
    const text = said('attempt:1.1', { actions: [ran], events });
    expect(text).toContain('host.purge\n on \nspool-eu:directory shop\n: ✔️ ran');
    expect(text).toContain('the tool says: “{"result":{"deleted":3}}”');
    expect(text).toContain('Verified: it is healthy again.');
    expect(text).toContain('✅ http.probe {}: status == 200');
  });

  it('is not credited with a verification that another attempt or the alert itself led to', () => {
    const second = action({ id: 'act-2', attempt: 2, status: 'succeeded' });
    const events = [
      event('action.succeeded', { action: 'act-1' }),
      event('verification.unchanged', { checks }),
      event('plan.made', { attempt: 2 }),
      event('verification.unconfirmed', { checks, reason: 'of neither' }),
      event('action.succeeded', { action: 'act-2' }),
      event('verification.recovered', { checks }),
    ];
    expect(said('attempt:1.1', { actions: [ran, second], events })).toContain('it has not recovered');
    expect(said('attempt:1.2', { actions: [ran, second], events })).toContain('it is healthy again');
  });
});

describe('a hand-over', () => {
  const events = [
    event('incident.escalated', { reason: 'nobody answered in time', escalateTo: 'shop-oncall' }),
    event('incident.escalated', { reason: 'the last remedy made it worse', escalateTo: null }),
  ];

  it('has one message each time; the present one is seen in the channel and has buttons', () => {
    const escalated = { incident: incident({ state: 'escalated' }), events };
    expect(rendered('escalation:1', escalated)).toMatchObject({ onlyUpdate: true });
    expect(buttonsOf(rendered('escalation:1', escalated))).toEqual([]);
    expect(rendered('escalation:2', escalated)).toMatchObject({ broadcast: true, urgent: true, onlyUpdate: false });
    expect(buttonsOf(rendered('escalation:2', escalated))).toEqual([ACTION_IDS.takeOver, ACTION_IDS.details]);
    expect(said('escalation:2', escalated)).toContain('the last remedy made it worse');
  });

  it('loses its buttons once the incident went on', () => {
    const on = rendered('escalation:2', { incident: incident({ state: 'verifying' }), events });
    expect(buttonsOf(on)).toEqual([]);
    expect(on.onlyUpdate).toBe(true);
  });
});

describe('the summary', () => {
  const resolved = incident({ state: 'resolved' });
  const events = [
    event('verification.recovered', { checks: [{ check: 'it answers', passed: true, saw: '' }] }),
    event('incident.resolved', { attempts: 1, seconds: 42 }),
  ];

  it('says how it ended, and asks whether that was helpful', () => {
    const actions = [action({ status: 'succeeded', effect: 'healed' })];
    const text = said('summary:1', { incident: resolved, actions, events });
    for (const shown of ['✅ INC-7 is resolved', 'nightshift after 1 attempt and 42 s', ': healed it', 'it answers'])
      expect(text).toContain(shown);
    const summary = rendered('summary:1', { incident: resolved, actions, events });
    expect(buttonsOf(summary)).toEqual([ACTION_IDS.helpful, ACTION_IDS.unhelpful]);
  });

  it('shows each person’s latest word, of this time only', () => {
    const rated = [
      ...events,
      event('person.rated', { cycle: 1, helpful: false }, 'anna'),
      event('person.rated', { cycle: 1, helpful: true }, 'anna'),
      event('person.rated', { cycle: 1, helpful: false }, 'bob'),
      event('person.rated', { cycle: 2, helpful: false }, 'carl'),
    ];
    const text = said('summary:1', { incident: resolved, events: rated });
    expect(text).toContain('👍 anna  👎 bob');
    expect(text).not.toContain('carl');
  });

  it('of what a person stopped asks nothing', () => {
    const stopped = rendered('summary:1', {
      incident: incident({ state: 'stopped' }),
      events: [event('person.stop', {}, 'anna')],
    });
    expect(buttonsOf(stopped)).toEqual([]);
    expect(shownTexts(stopped).join('\n')).toContain('INC-7 was stopped by anna');
  });

  it('is not there while the incident is open', () => {
    expect(purposes({ events })).not.toContain('summary:1');
  });
});

describe('rendering', () => {
  it('gives the same messages for the same rows', () => {
    const rows = view();
    expect(renderThread(rows)).toEqual(renderThread(rows));
  });

  it('offers no way to answer several questions at once (SLK-022)', () => {
    const many = Array.from({ length: 6 }, (_, index) => approval({ id: `appr${index}` }));
    for (const message of renderThread(view({ approvals: many }))) {
      const asked = partsOf(message.blocks).filter(({ action_id: id }) => id === ACTION_IDS.approve);
      expect(asked.length).toBeLessThanOrEqual(1);
    }
  });
});
