import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { addEvidence } from '../../../src/diagnosis/store.ts';
import { eventsAfter, signalsOf } from '../../../src/incident/index.ts';
import { ACTION_IDS } from '../../../src/slack/render-buttons.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { click, type Scene, startScene, until } from './incoming-scene.ts';
import { APP, interaction, sendSigned, startWorkspace, TEAM, type Workspace } from './incoming-workspace.ts';

describe.each(anyDatabase)('what people press in Slack, on the $name database', ({ open }) => {
  let db: Database;
  let workspace: Workspace;
  let scene: Scene;
  const who = (name: string) => workspace.users[name] ?? '';

  beforeAll(async () => {
    db = await open();
    workspace = await startWorkspace();
    scene = await startScene(db, workspace);
  });
  afterEach(() => {
    workspace.broken = null;
  });
  afterAll(async () => {
    await scene.stop();
    await workspace.stop();
    await db.close();
  });

  /** Does something, waits until it is done, and gives what was answered in words. */
  const answersTo = async (run: () => Promise<{ status: number }>): Promise<string[]> => {
    const before = workspace.answers.length;
    expect((await run()).status).toBe(200);
    await scene.incoming.stop();
    return workspace.answers.slice(before);
  };
  const decided = async (incidentId: number) =>
    (await eventsAfter(db, incidentId, 0, 100)).filter(({ type }) => type === 'approval.decided');
  const submission = (user: string, metadata: string, reason: string | null, change: object = {}) => ({
    type: 'view_submission',
    api_app_id: APP,
    team: { id: TEAM },
    user: { id: user, team_id: TEAM },
    view: {
      id: 'V1',
      callback_id: 'nightshift_deny_form',
      private_metadata: metadata,
      state: { values: { reason: { reason: { type: 'plain_text_input', value: reason } } } },
      ...change,
    },
  });

  it('approves exactly the action that was shown, and says so', async () => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    expect(await answersTo(() => scene.press(who('ana'), ACTION_IDS.approve, value))).toEqual([
      `You approved ${asked.id}; it is approved now.`,
    ]);
    expect(await scene.approval(asked)).toMatchObject({
      status: 'approved',
      votes: [{ principal: 'ana', decision: 'approve', via: 'slack' }],
    });
    const again = await answersTo(() => scene.press(who('ben'), ACTION_IDS.approve, value));
    expect(again).toEqual([expect.stringContaining('is approved already (ana via slack); the first decision counts')]);
  });

  it('is refused for a digest that is not the stored one (SLK-007)', async () => {
    const asked = await scene.ask();
    const changed = asked.digest.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    for (const digest of [changed, '', 'undefined']) {
      await answersTo(() => scene.press(who('ana'), ACTION_IDS.approve, { approval: asked.id, digest }));
    }
    const [words] = await answersTo(() => scene.press(who('ana'), ACTION_IDS.approve, { approval: asked.id }));
    expect(words).toContain('not one of this version');
    expect((await scene.approval(asked)).status).toBe('pending');
  });

  it('is refused for a name that only looks like an approver’s (SLK-009)', async () => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    const user = { id: who('eve'), team_id: TEAM, name: 'ana', username: 'ana' };
    const [words] = await answersTo(() => scene.press(who('eve'), ACTION_IDS.approve, value, { payload: { user } }));
    expect(words).toContain('you are none of the people whom Nightshift knows');
    expect((await scene.approval(asked)).status).toBe('pending');
  });

  it.each([
    [
      'the same user id in another workspace',
      () => ({ team: { id: 'T0OTHER' }, user: { id: who('ana'), team_id: 'T0OTHER' } }),
      'none of the people',
    ],
    [
      'somebody of another workspace in a shared channel',
      () => ({ user: { id: who('ana'), team_id: 'T0OTHER' } }),
      'another workspace',
    ],
    ['a workflow', () => ({ function_data: { execution_id: 'Fx1' } }), 'workflows'],
    ['a workflow’s token', () => ({ bot_access_token: 'xwfp-' }), 'workflows'],
    ['no button', () => ({ actions: [] }), 'one button at a time'],
  ])('is refused for %s', async (_, payload, words) => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    const said = await answersTo(() => scene.press(who('ana'), ACTION_IDS.approve, value, { payload: payload() }));
    expect(said).toEqual([expect.stringContaining(words)]);
    expect((await scene.approval(asked)).status).toBe('pending');
  });

  it('is refused without a word for another app’s payload', async () => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    for (const api_app_id of ['A0OTHER', undefined]) {
      expect(
        await answersTo(() => scene.press(who('ana'), ACTION_IDS.approve, value, { payload: { api_app_id } })),
      ).toEqual([]);
    }
    expect((await scene.approval(asked)).status).toBe('pending');
  });

  it('is refused for guests, bots, strangers and accounts that are gone, though they are listed', async () => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    const kinds = {
      is_restricted: 'guests',
      is_ultra_restricted: 'guests',
      is_bot: 'bots',
      is_workflow_bot: 'bots',
      is_stranger: 'another workspace',
      deleted: 'deactivated',
    };
    for (const [flag, words] of Object.entries(kinds)) {
      workspace.flags.set(who('gus'), { [flag]: true });
      expect(await answersTo(() => scene.press(who('gus'), ACTION_IDS.approve, value))).toEqual([
        expect.stringContaining(words),
      ]);
    }
    workspace.flags.set(who('gus'), { team_id: 'T0OTHER' });
    expect(await answersTo(() => scene.press(who('gus'), ACTION_IDS.approve, value))).toEqual([
      expect.stringContaining('another workspace'),
    ]);
    expect((await scene.approval(asked)).status).toBe('pending');
    workspace.flags.set(who('gus'), {});
    await answersTo(() => scene.press(who('gus'), ACTION_IDS.approve, value));
    expect((await scene.approval(asked)).status).toBe('approved');
  });

  it('is refused while Slack cannot be asked who somebody is', async () => {
    const fresh = await startScene(db, workspace);
    const asked = await fresh.ask();
    workspace.broken = 503;
    await fresh.press(who('ana'), ACTION_IDS.approve, { approval: asked.id, digest: asked.digest });
    await fresh.incoming.stop();
    expect(workspace.answers.at(-1)).toMatch(/^Slack could not be asked who you are .*Fix: use the CLI/);
    expect((await fresh.approval(asked)).status).toBe('pending');
    await fresh.stop();
  });

  it('is refused for whoever may only look, and where nobody is configured for everybody', async () => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    for (const id of [
      ACTION_IDS.approve,
      ACTION_IDS.deny,
      ACTION_IDS.takeOver,
      ACTION_IDS.stopEverything,
      ACTION_IDS.helpful,
    ]) {
      const about = id === ACTION_IDS.approve || id === ACTION_IDS.deny ? value : { incident: asked.incidentId };
      const said = await answersTo(() => scene.press(who('cleo'), id, about));
      expect(said).toEqual([expect.stringContaining('cleo is viewer; this needs approver')]);
    }
    const nobody = await startScene(db, workspace, { people: [] });
    await nobody.press(who('ana'), ACTION_IDS.approve, value);
    await nobody.incoming.stop();
    expect((await scene.approval(asked)).votes).toEqual([]);
    expect((await scene.ports.killSwitch.state()).engaged).toBe(false);
    await nobody.stop();
  });

  it('counts one person once where two are needed (SLK-011)', async () => {
    const asked = await scene.ask({ required: 2 });
    const value = { approval: asked.id, digest: asked.digest };
    const [first] = await answersTo(() => scene.press(who('ana'), ACTION_IDS.approve, value));
    expect(first).toContain('it is pending until somebody else approves it');
    const [second] = await answersTo(() => scene.press(who('ana'), ACTION_IDS.approve, value));
    expect(second).toContain('has your answer already');
    expect((await scene.approval(asked)).status).toBe('pending');
    await answersTo(() => scene.press(who('ben'), ACTION_IDS.approve, value));
    expect((await scene.approval(asked)).status).toBe('approved');
  });

  it('is refused for who is barred or not named, and once it has expired, in words', async () => {
    for (const [change, words] of [
      [{ barred: ['ana'] }, 'you changed its runbook last'],
      [{ approvers: ['ben'] }, 'the policy names other people'],
      [{ ttlSeconds: -1 }, 'expired at'],
    ] as const) {
      const asked = await scene.ask(change as object);
      const said = await answersTo(() =>
        scene.press(who('ana'), ACTION_IDS.approve, { approval: asked.id, digest: asked.digest }),
      );
      expect(said).toEqual([expect.stringContaining(words)]);
      expect((await scene.approval(asked)).votes).toEqual([]);
    }
  });

  it('asks why before it denies, and nobody approves after a no (SLK-014)', async () => {
    const asked = await scene.ask({ required: 2 });
    const value = { approval: asked.id, digest: asked.digest };
    const trigger_id = await workspace.trigger(who('ana'));
    expect(await answersTo(() => scene.press(who('ana'), ACTION_IDS.deny, value, { payload: { trigger_id } }))).toEqual(
      [],
    );
    const opened = workspace.calls.findLast(({ method }) => method === 'views.open')?.body.view as {
      private_metadata: string;
      callback_id: string;
    };
    expect(opened).toMatchObject({ callback_id: 'nightshift_deny_form', private_metadata: JSON.stringify(value) });
    expect((await scene.approval(asked)).status).toBe('pending');

    for (const nothing of ['', '  \n', null]) {
      const form = interaction(submission(who('ana'), opened.private_metadata, nothing));
      expect(JSON.parse((await sendSigned(scene.url, form)).text)).toMatchObject({
        response_action: 'errors',
        errors: { reason: expect.any(String) },
      });
    }
    const form = submission(who('ana'), opened.private_metadata, ' not before the backup ');
    const ephemeral = () => workspace.calls.findLast(({ method }) => method === 'chat.postEphemeral')?.body;
    expect(await answersTo(() => sendSigned(scene.url, interaction(form)))).toEqual([]);
    expect(ephemeral()).toMatchObject({
      channel: workspace.channel,
      user: who('ana'),
      text: `You denied ${asked.id}.`,
    });
    expect(await scene.approval(asked)).toMatchObject({
      status: 'denied',
      votes: [{ principal: 'ana', decision: 'deny', reason: 'not before the backup', via: 'slack' }],
    });
    for (const name of ['ben', 'gus']) {
      expect(await answersTo(() => scene.press(who(name), ACTION_IDS.approve, value))).toEqual([
        expect.stringContaining('is denied already'),
      ]);
    }
    await answersTo(() =>
      sendSigned(scene.url, interaction(submission(who('ben'), opened.private_metadata, 'me, too'))),
    );
    expect(ephemeral()?.text).toContain('is denied already (ana via slack)');
    expect(await decided(asked.incidentId)).toHaveLength(1);
  });

  it('takes a no only from the form that it opened, about what it was opened for', async () => {
    const asked = await scene.ask();
    const metadata = JSON.stringify({ approval: asked.id, digest: asked.digest });
    for (const form of [
      submission(who('ana'), metadata, 'no', { callback_id: 'another_form' }),
      submission(who('ana'), '{"approval":1}', 'no'),
      submission(who('ana'), metadata.replace(asked.digest, 'f'.repeat(64)), 'no'),
      submission(who('ana'), JSON.stringify({ approval: asked.id, digest: 'x', more: 1 }), 'no'),
      submission(who('eve'), metadata, 'no'),
      { ...submission(who('ana'), metadata, 'no'), api_app_id: 'A0OTHER' },
    ])
      await answersTo(() => sendSigned(scene.url, interaction(form)));
    expect((await scene.approval(asked)).status).toBe('pending');
  });

  it('says what to do when a form could not be opened in time', async () => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    const trigger_id = await workspace.trigger(who('ana'));
    await answersTo(() => scene.press(who('ana'), ACTION_IDS.deny, value, { payload: { trigger_id } }));
    const said = await answersTo(() => scene.press(who('ana'), ACTION_IDS.deny, value, { payload: { trigger_id } }));
    expect(said).toEqual([
      'the form could not be opened: Slack waits only three seconds for it. Fix: press the button once more',
    ]);
  });

  it('resolves a payload with two buttons to neither (SLK-017)', async () => {
    const asked = await scene.ask();
    const button = (action_id: string) => ({
      type: 'button',
      action_id,
      value: JSON.stringify({ approval: asked.id, digest: asked.digest }),
    });
    for (const actions of [
      [button(ACTION_IDS.deny), button(ACTION_IDS.approve)],
      [button(ACTION_IDS.approve), button(ACTION_IDS.approve)],
    ]) {
      const said = await answersTo(() => scene.press(who('ana'), ACTION_IDS.approve, {}, { payload: { actions } }));
      expect(said).toEqual(['exactly one button at a time can be pressed; nothing was done']);
    }
    expect((await scene.approval(asked)).votes).toEqual([]);
  });

  it('takes no argument from a payload (SLK-018)', async () => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    const args = { namespace: 'kube-system', process: 'everything' };
    const payload = { view: { state: { values: { args } } }, state: { values: { args } }, arguments: args };
    await answersTo(() => scene.press(who('ana'), ACTION_IDS.approve, value, { payload }));
    const [decision] = await decided(asked.incidentId);
    const stored = await scene.approval(asked);
    expect(stored).toMatchObject({ status: 'approved', digest: asked.digest, subject: asked.subject });
    expect(JSON.stringify(decision)).not.toContain('kube-system');
    const wider = await scene.ask();
    const [words] = await answersTo(() =>
      scene.press(who('ana'), ACTION_IDS.approve, { approval: wider.id, digest: wider.digest, arguments: args }),
    );
    expect(words).toContain('not one of this version');
    expect((await scene.approval(wider)).status).toBe('pending');
  });

  it('ignores messages, reactions and buttons that it does not know (SLK-020)', async () => {
    const asked = await scene.ask();
    const event = (inner: object) =>
      JSON.stringify({
        type: 'event_callback',
        team_id: TEAM,
        api_app_id: APP,
        event_id: `Ev${Math.random()}`,
        event: { user: who('ana'), channel: workspace.channel, ts: '1.1', ...inner },
      });
    const before = await scene.count('ignored');
    for (const inner of [
      { type: 'message', text: `approve ${asked.id}` },
      { type: 'message', subtype: 'bot_message', bot_id: 'B1', text: `approve ${asked.id}` },
      {
        type: 'reaction_added',
        reaction: 'white_check_mark',
        item: { type: 'message', channel: workspace.channel, ts: '1.1' },
      },
    ])
      expect(await answersTo(() => sendSigned(scene.url, event(inner)))).toEqual([]);
    expect(await scene.count('ignored')).toBe(before + 3);
    for (const actionId of ['approve', 'NIGHTSHIFT_APPROVE', 'nightshift_approve ', '__proto__', '']) {
      const value = { approval: asked.id, digest: asked.digest };
      expect(await answersTo(() => scene.press(who('ana'), actionId, value))).toEqual([]);
    }
    const posted = () => workspace.calls.findLast(({ method }) => method === 'chat.postMessage')?.body;
    expect(
      await answersTo(() =>
        sendSigned(scene.url, event({ type: 'app_mention', text: `<@U0NIGHTBOT> approve ${asked.id}` })),
      ),
    ).toEqual([]);
    expect(posted()?.text).toContain('Nothing that is written decides anything here');
    expect((await scene.approval(asked)).votes).toEqual([]);
  });

  it('makes one decision of 1,000 concurrent clicks with 1,000 different signatures (SLK-016)', async () => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    const people = [who('ana'), who('ben'), who('gus')];
    workspace.flags.set(who('gus'), {});
    const before = [
      workspace.answers.length,
      workspace.calls.filter(({ method }) => method === 'users.info').length,
    ] as const;
    const statuses = await Promise.all(
      Array.from({ length: 1000 }, async (_, index) => {
        const payload = click(workspace, people[index % 3] ?? '', ACTION_IDS.approve, value);
        return (await sendSigned(scene.url, interaction(payload))).status;
      }),
    );
    await scene.incoming.stop();
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(await decided(asked.incidentId)).toHaveLength(1);
    expect((await scene.approval(asked)).votes).toHaveLength(1);
    const answers = workspace.answers.slice(before[0]);
    expect(answers).toHaveLength(1000);
    expect(answers.filter((words) => words.includes('it is approved now'))).toHaveLength(1);
    expect(answers.filter((words) => words.includes('is approved already'))).toHaveLength(999);
    // A person is looked up once for all of their clicks.
    expect(workspace.calls.filter(({ method }) => method === 'users.info').length - before[1]).toBeLessThanOrEqual(6);
  }, 120_000);

  it('shows the card, the evidence and the end of the timeline, all as plain text', async () => {
    const asked = await scene.ask({ process: 'a\u202etxt.exe\u{e0041}' });
    const title = 'Runbook *bold* <!channel> \u202etxt.exe';
    await addEvidence(db, asked.incidentId, 1, [{ ref: 'E1', kind: 'runbook', title, content: 'x', origin: {} }]);
    const trigger_id = await workspace.trigger(who('cleo'));
    const payload = { trigger_id };
    expect(
      await answersTo(() => scene.press(who('cleo'), ACTION_IDS.details, { incident: asked.incidentId }, { payload })),
    ).toEqual([]);
    const view = workspace.calls.findLast(({ method }) => method === 'views.open')?.body.view as {
      title: { text: string };
      blocks: { text: { type: string; text: string } }[];
    };
    expect(view.title.text).toBe(`INC-${asked.incidentId}`);
    expect(view.blocks.every(({ text }) => text.type === 'plain_text' && text.text.length <= 3000)).toBe(true);
    const text = view.blocks.map((block) => block.text.text).join('\n');
    expect(text).toContain(`digest:   ${asked.digest}`);
    expect(text).toContain('supervisor.restart');
    expect(text).toContain('E1 Runbook *bold* (mention removed)');
    expect(text).toContain('incident.opened by alertmanager');
    expect(text).toContain('{"process":"a\\u{202e}txt.exe\\u{e0041}"}');
    expect(text).not.toMatch(/[\u202e\u200b\u{e0041}]/u);
    expect(await answersTo(() => scene.press(who('cleo'), ACTION_IDS.details, { incident: 4711 }))).toEqual([
      expect.stringContaining('there is no incident INC-4711'),
    ]);
  });

  it('takes an incident over, rates it and stops everything, as the person who pressed it', async () => {
    const asked = await scene.ask();
    const value = { incident: asked.incidentId };
    await answersTo(() => scene.press(who('ana'), ACTION_IDS.takeOver, value));
    expect(await signalsOf(db, asked.incidentId)).toMatchObject([{ kind: 'stop', by: 'ana' }]);
    await answersTo(() => scene.press(who('ben'), ACTION_IDS.unhelpful, value));
    const rated = (await eventsAfter(db, asked.incidentId, 0, 100)).filter(({ type }) => type === 'person.rated');
    expect(rated).toMatchObject([{ actor: 'ben', data: { helpful: false } }]);
    await answersTo(() => scene.press(who('ana'), ACTION_IDS.stopEverything, value));
    expect(await scene.ports.killSwitch.state()).toMatchObject({ engaged: true, by: 'ana' });
    for (const by of ['ana', 'ben']) await scene.ports.killSwitch.release({ by, via: 'test' });
  });

  it('tells whoever pressed it when the work fails after it was acknowledged, and never how', async () => {
    const people = {
      ...scene.ports.people,
      decide: async () => Promise.reject(new Error('secret detail at src/approval')),
    };
    const failing = await startScene(db, workspace, { ports: { people } });
    const asked = await scene.ask();
    await failing.press(who('ana'), ACTION_IDS.approve, { approval: asked.id, digest: asked.digest });
    const words = await until(() => workspace.answers.at(-1));
    await failing.incoming.stop();
    expect(workspace.answers.at(-1)).toMatch(/^this did not go through; .*Fix: look whether it happened/);
    expect(words).not.toContain('secret detail');
    expect(await failing.count('failed')).toBe(1);
    await failing.stop();
  });

  it('acknowledges at once, however long the work takes', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const decide = async () => {
      await held;
      return { incidentId: 1, status: 'approved' };
    };
    const slow = await startScene(db, workspace, { ports: { people: { ...scene.ports.people, decide } } });
    const asked = await scene.ask();
    const started = performance.now();
    const value = { approval: asked.id, digest: asked.digest };
    expect((await slow.press(who('ana'), ACTION_IDS.approve, value)).status).toBe(200);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(await slow.count('heard')).toBe(0);
    const stopped = slow.incoming.stop();
    release();
    await stopped;
    expect(await slow.count('heard')).toBe(1);
    await slow.stop();
  });

  it('does nothing, and says so, when it cannot record that it heard something', async () => {
    const asked = await scene.ask();
    const lost = Object.create(db, {
      q: {
        get: () => {
          throw new Error('connection refused');
        },
      },
    }) as Database;
    const deaf = await startScene(db, workspace, { ports: { db: lost } });
    const answer = await deaf.press(who('ana'), ACTION_IDS.approve, { approval: asked.id, digest: asked.digest });
    await deaf.incoming.stop();
    expect(answer.status).toBe(200);
    expect(workspace.answers.at(-1)).toContain('nothing was done');
    expect((await scene.approval(asked)).status).toBe('pending');
    await deaf.stop();
  });

  it('answers where it was pressed when the payload names a foreign address to answer to', async () => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    for (const response_url of [
      'http://127.0.0.1:9/',
      'https://hooks.slack.com.evil.example/',
      'file:///etc/passwd',
      'nonsense',
      '',
    ]) {
      const before = workspace.calls.filter(({ method }) => method === 'chat.postEphemeral').length;
      expect(
        await answersTo(() => scene.press(who('eve'), ACTION_IDS.approve, value, { payload: { response_url } })),
      ).toEqual([]);
      const told = workspace.calls.filter(({ method }) => method === 'chat.postEphemeral');
      expect(told).toHaveLength(before + 1);
      expect(told.at(-1)?.body).toMatchObject({
        channel: workspace.channel,
        user: who('eve'),
        thread_ts: '1700000000.000001',
      });
    }
  });
});
