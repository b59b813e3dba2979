import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPayload } from '../../../src/slack/incoming-payload.ts';
import { ACTION_IDS } from '../../../src/slack/render-buttons.ts';

const click = (change: object = {}) => ({
  type: 'block_actions',
  api_app_id: 'A1',
  team: { id: 'T1' },
  enterprise: null,
  user: { id: 'U1', team_id: 'T1', name: 'Ana (SRE lead)' },
  channel: { id: 'C1' },
  container: { type: 'message', message_ts: '1.1', thread_ts: '1.0' },
  actions: [{ type: 'button', action_id: ACTION_IDS.approve, value: '{}' }],
  ...change,
});

describe('a payload', () => {
  it('is cut down to ids and to what was pressed; names and everything else are left behind', () => {
    expect(readPayload(click({ view: { state: { values: { args: 'x' } } }, state: { values: {} } }))).toEqual({
      appId: 'A1',
      actor: { team: 'T1', enterprise: null, user: 'U1' },
      place: { channel: 'C1', thread: '1.0', responseUrl: null, trigger: null },
      word: { kind: 'button', actionId: 'nightshift_approve', value: '{}' },
      refused: null,
    });
  });

  it('is refused where the person belongs neither to the workspace nor to its organisation', () => {
    const user = (team_id: string) => ({ user: { id: 'U1', team_id } });
    const enterprise = { enterprise: { id: 'E1' } };
    expect(readPayload(click(user('T2')))?.refused).toMatch(/another workspace/);
    expect(readPayload(click({ ...user('T2'), ...enterprise }))?.refused).toMatch(/another workspace/);
    expect(readPayload(click({ ...user('E1'), ...enterprise }))?.refused).toBeNull();
    // An installation for a whole organisation names no workspace; then the person's own counts.
    expect(readPayload(click({ team: null, ...enterprise }))).toMatchObject({
      refused: null,
      actor: { team: 'T1', enterprise: 'E1' },
    });
  });

  it('is heard for exactly one button', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...Object.values(ACTION_IDS)), { maxLength: 5 }), (ids) => {
        const heard = readPayload(click({ actions: ids.map((action_id) => ({ action_id, value: '{}' })) }));
        expect(heard?.refused === null).toBe(ids.length === 1);
      }),
    );
  });

  it.each([
    ['a message', { type: 'message', text: 'approve apr_0042' }],
    ['a reaction', { type: 'reaction_added', reaction: 'white_check_mark' }],
    ['a direct message', { type: 'message', channel_type: 'im', text: 'yes' }],
  ])('means nothing when it is %s', (_, event) => {
    const body = {
      type: 'event_callback',
      team_id: 'T1',
      event_id: 'Ev1',
      event: { user: 'U1', channel: 'C1', ts: '1.1', ...event },
    };
    expect(readPayload(body)).toBeNull();
  });

  it.each(['block_suggestion', 'message_action', 'shortcut', 'view_closed', 'dialog_submission', 'workflow_step_edit'])(
    'means nothing when it is a %s',
    (type) => {
      expect(readPayload(click({ type }))).toBeNull();
    },
  );

  it('unescapes what a person typed, once', () => {
    const command = { command: '/nightshift', text: ' ask a &lt;b&gt; &amp;lt; ', team_id: 'T1', user_id: 'U1' };
    expect(readPayload(command)?.word).toEqual({ kind: 'command', text: 'ask a <b> &lt;' });
    expect(readPayload({ ...command, command: '/nightshift2' })).toBeNull();
  });

  it('never throws, whatever it is', () => {
    const near = fc.record({
      type: fc.constantFrom('block_actions', 'view_submission', 'event_callback'),
      actions: fc.anything(),
      user: fc.anything(),
      team: fc.anything(),
      view: fc.anything(),
      event: fc.anything(),
    });
    fc.assert(fc.property(fc.oneof(fc.anything(), near), (body) => void readPayload(body)));
    for (const body of [null, undefined, '', 0, [], JSON.parse('{"__proto__":{"type":"block_actions"}}')])
      expect(readPayload(body)).toBeNull();
  });
});
