import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { ACTION_IDS } from '../../../src/slack/render-buttons.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { click, type Scene, startScene } from './incoming-scene.ts';
import { APP, interaction, SECRET, sendSigned, startWorkspace, TEAM, type Workspace } from './incoming-workspace.ts';

/** Slack's own example, as its documentation publishes it. */
const EXAMPLE = {
  timestamp: 1531420618,
  body: `token=${'xyzz0WbapA4v' + 'BCDEFasx0q6G'}&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c`,
  signature: 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
};

describe.each(anyDatabase)('what comes over HTTP, on the $name database', ({ open }) => {
  let db: Database;
  let workspace: Workspace;
  let scene: Scene;

  beforeAll(async () => {
    db = await open();
    workspace = await startWorkspace();
    scene = await startScene(db, workspace);
  });
  afterEach(() => void vi.useRealTimers());
  afterAll(async () => {
    await scene.stop();
    await workspace.stop();
    await db.close();
  });

  const setTime = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'] }).setSystemTime(seconds * 1000);
  const votes = async (approvalId: string) =>
    db.q.selectFrom('approval_vote').selectAll().where('approval_id', '=', approvalId).execute();

  it('is what Slack signs: its published example is taken, and nothing near it', async () => {
    setTime(EXAMPLE.timestamp);
    const { timestamp, body, signature } = EXAMPLE;
    const signed = { secret: SECRET, timestamp: String(timestamp), signature };
    expect(await sendSigned(scene.url, body, signed)).toMatchObject({ status: 200, text: '' });
    expect(await sendSigned(scene.url, body, { ...signed, body: `${body}&text=x` })).toMatchObject({
      status: 401,
      text: '',
    });
    expect(await sendSigned(scene.url, body, { ...signed, timestamp: String(timestamp + 1) })).toMatchObject({
      status: 401,
    });
    expect(await sendSigned(scene.url, body, { secret: 'another secret', timestamp: String(timestamp) })).toMatchObject(
      { status: 401 },
    );
    expect(await sendSigned(scene.url, body, { ...signed, signature: signature.replace('a2', 'A2') })).toMatchObject({
      status: 401,
    });
  });

  it.each([
    ['no signature', { signature: '' }],
    ['no timestamp', { timestamp: '' }],
    ['a timestamp that is no number', { timestamp: 'now' }],
    ['a timestamp written otherwise', { timestamp: `${Math.floor(Date.now() / 1000)}.0` }],
    ['another version of the signature', { signature: `v1=${'0'.repeat(64)}` }],
    ['a signature of another length', { signature: 'v0=' }],
  ])('is refused with %s', async (_, signing) => {
    const before = await scene.count('unauthenticated');
    expect(await sendSigned(scene.url, EXAMPLE.body, signing)).toMatchObject({ status: 401, text: '' });
    expect(await scene.count('unauthenticated')).toBe(before + 1);
  });

  it.each([
    ['300 s old', -300, 'approved'],
    ['301 s old', -301, 'pending'],
    ['300 s ahead', 300, 'approved'],
    ['301 s ahead', 301, 'pending'],
    ['600 s ahead, correctly signed (SLK-004)', 600, 'pending'],
  ])('counts when its timestamp is at most 300 s away: %s', async (_, seconds, status) => {
    const now = Math.floor(Date.now() / 1000);
    setTime(now);
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    const signing = { timestamp: String(now + seconds) };
    const answer = await scene.press(workspace.users.ana ?? '', ACTION_IDS.approve, value, { signing });
    expect(answer.status).toBe(status === 'approved' ? 200 : 401);
    await scene.incoming.stop();
    expect((await scene.approval(asked)).status).toBe(status);
  });

  it('is heard once: five exact replays within 120 s are one vote of two (SLK-005)', async () => {
    const start = Math.floor(Date.now() / 1000);
    setTime(start);
    const asked = await scene.ask({ required: 2 });
    const body = interaction(
      click(workspace, workspace.users.ana ?? '', ACTION_IDS.approve, { approval: asked.id, digest: asked.digest }),
    );
    const before = [await scene.count('replayed'), workspace.answers.length] as const;
    const first = await sendSigned(scene.url, body);
    expect(first.status).toBe(200);
    const signing = {
      timestamp: first.headers['x-slack-request-timestamp'] ?? '',
      signature: first.headers['x-slack-signature'] ?? '',
    };
    for (let time = 1; time <= 5; time += 1) {
      await scene.incoming.stop();
      setTime(start + time * 24);
      expect(await sendSigned(scene.url, body, signing)).toMatchObject({ status: 200, text: '' });
    }
    await scene.incoming.stop();
    expect(await votes(asked.id)).toHaveLength(1);
    expect(await scene.count('replayed')).toBe(before[0] + 5);
    // A replay is not even answered in words.
    expect(workspace.answers).toHaveLength(before[1] + 1);
  });

  it('is heard once across replicas, and a signature that is spelled otherwise is no other signature', async () => {
    const other = await startScene(db, workspace);
    const asked = await scene.ask({ required: 2 });
    const body = interaction(
      click(workspace, workspace.users.ana ?? '', ACTION_IDS.approve, { approval: asked.id, digest: asked.digest }),
    );
    const { headers } = await sendSigned(scene.url, body);
    const [timestamp = '', signature = ''] = [headers['x-slack-request-timestamp'], headers['x-slack-signature']];
    expect((await sendSigned(other.url, body, { timestamp, signature })).status).toBe(200);
    // Bolt by itself takes these three: it ignores what follows a second "=" and reads the timestamp as a number.
    expect((await sendSigned(other.url, body, { timestamp, signature: `${signature}=x` })).status).toBe(401);
    expect((await sendSigned(other.url, body, { timestamp: `0${timestamp}`, signature: `${signature}=` })).status).toBe(
      401,
    );
    expect((await sendSigned(other.url, body, { timestamp: `${timestamp}.0`, signature })).status).toBe(401);
    await Promise.all([scene.incoming.stop(), other.incoming.stop()]);
    expect(await votes(asked.id)).toHaveLength(1);
    expect(await other.count('replayed')).toBe(1);
    await other.stop();
  });

  it('forgets what it heard once a replay would be too old anyway', async () => {
    const start = Math.floor(Date.now() / 1000) + 10_000;
    setTime(start);
    const late = await startScene(db, workspace);
    const send = async () => {
      await sendSigned(late.url, interaction(click(workspace, workspace.users.ana ?? '', 'unknown', {})));
      await late.incoming.stop();
    };
    await send();
    setTime(start + 899);
    await send();
    const before = await db.q
      .selectFrom('slack_request')
      .select('seen_at')
      .where('seen_at', '>=', new Date(start * 1000))
      .execute();
    expect(before).toHaveLength(2);
    setTime(start + 901 + 60);
    await send();
    const after = await db.q
      .selectFrom('slack_request')
      .select('seen_at')
      .where('seen_at', '>=', new Date(start * 1000))
      .execute();
    expect(after).toHaveLength(2);
    await late.stop();
  });

  it('is read as what was signed, whatever its unsigned content type says', async () => {
    const asked = await scene.ask();
    const forged = interaction(
      click(workspace, workspace.users.ana ?? '', ACTION_IDS.approve, { approval: asked.id, digest: asked.digest }),
    );
    // An event that anybody in the workspace can cause Slack to sign, and that reads as an interaction when taken for a form.
    const event = JSON.stringify({
      type: 'event_callback',
      team_id: TEAM,
      api_app_id: APP,
      event_id: 'Ev1',
      event: { type: 'message', text: `&${forged}&x=` },
    });
    const answer = await sendSigned(scene.url, event, { contentType: 'application/x-www-form-urlencoded' });
    expect(answer.status).toBe(200);
    await scene.incoming.stop();
    expect((await scene.approval(asked)).status).toBe('pending');
  });

  it('answers the handshake, and whatever it does not know, with 200', async () => {
    const handshake = JSON.stringify({ type: 'url_verification', challenge: 'c0ffee' });
    expect(await sendSigned(scene.url, handshake)).toMatchObject({ status: 200, text: '{"challenge":"c0ffee"}' });
    expect(await sendSigned(scene.url, handshake, { secret: 'another' })).toMatchObject({ status: 401 });
    const unknown = [
      JSON.stringify({ type: 'something_new' }),
      interaction({ type: 'something_else', team: { id: TEAM } }),
    ];
    const shortcut = interaction({ type: 'shortcut', user: { id: 'U1' }, team: { id: TEAM } });
    const answers = await Promise.all([...unknown, shortcut].map((body) => sendSigned(scene.url, body)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('is not taken when it is larger than a mebibyte, compressed, or not posted', async () => {
    expect((await sendSigned(scene.url, `x=${'y'.repeat(1024 * 1024)}`)).status).toBe(413);
    const gzip = await fetch(`${scene.url}/slack/events`, {
      method: 'POST',
      headers: {
        'content-encoding': 'gzip',
        'x-slack-request-timestamp': String(Math.floor(Date.now() / 1000)),
        'x-slack-signature': `v0=${'0'.repeat(64)}`,
      },
      body: 'x',
    });
    expect(gzip.status).toBe(415);
    expect((await fetch(`${scene.url}/slack/events`)).status).toBe(404);
  });
});
