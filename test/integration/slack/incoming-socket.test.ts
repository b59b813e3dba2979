import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { ACTION_IDS } from '../../../src/slack/render-buttons.ts';
import { databases } from '../../real-parts/databases.ts';
import { click, type Scene, startScene, until } from './incoming-scene.ts';
import { startWorkspace, TEAM, type Workspace } from './incoming-workspace.ts';

// One kind of database is enough here: what differs between them is the business of the other tests.
const [{ open }] = databases as [(typeof databases)[number]];

describe('Socket Mode', () => {
  let db: Database;
  let workspace: Workspace;
  let scene: Scene;

  beforeAll(async () => {
    db = await open();
    workspace = await startWorkspace();
    scene = await startScene(db, workspace, { config: { appToken: workspace.appToken, signingSecret: undefined } });
    scene.incoming.start();
    await until(() => workspace.socket.connections() === 1);
    await until(() => scene.log().some(({ message }) => message === 'connected to Slack in Socket Mode'));
  });
  afterAll(async () => {
    await scene.stop();
    await workspace.stop();
    await db.close();
  });

  const send = (envelope_id: string, payload: object, type = 'interactive') =>
    workspace.socket.send({ envelope_id, type, payload, accepts_response_payload: true });
  const acknowledged = (envelope_id: string) =>
    until(() => workspace.socket.heard.find((message) => message.envelope_id === envelope_id));

  it('has no route over HTTP', async () => {
    expect((await fetch(`${scene.url}/slack/events`, { method: 'POST', body: '{}' })).status).toBe(404);
  });

  it('hears an envelope once, and acknowledges each', async () => {
    const asked = await scene.ask({ required: 2 });
    const payload = click(workspace, workspace.users.ana ?? '', ACTION_IDS.approve, {
      approval: asked.id,
      digest: asked.digest,
    });
    for (let time = 0; time < 5; time += 1) send('envelope-1', payload);
    await until(async () => (await scene.count('replayed')) === 4 && (await scene.count('heard')) === 1);
    const answers = () => workspace.socket.heard.filter((message) => message.envelope_id === 'envelope-1');
    await until(() => answers().length === 5);
    expect((await scene.approval(asked)).votes).toMatchObject([{ principal: 'ana', via: 'slack' }]);
    send(
      'envelope-2',
      click(workspace, workspace.users.ben ?? '', ACTION_IDS.approve, { approval: asked.id, digest: asked.digest }),
    );
    await until(async () => (await scene.approval(asked)).status === 'approved');
  });

  it('refuses what another app was sent', async () => {
    const asked = await scene.ask();
    const value = { approval: asked.id, digest: asked.digest };
    send(
      'envelope-3',
      click(workspace, workspace.users.ana ?? '', ACTION_IDS.approve, value, { api_app_id: 'A0OTHER' }),
    );
    await acknowledged('envelope-3');
    await scene.incoming.stop();
    expect((await scene.approval(asked)).status).toBe('pending');
    scene.incoming.start();
  });

  it('answers a form that lacks the reason inside the acknowledgement', async () => {
    const again = await startScene(db, workspace, { config: { appToken: workspace.appToken } });
    const connected = workspace.socket.connections();
    again.incoming.start();
    await until(() => workspace.socket.connections() > connected);
    const view = {
      callback_id: 'nightshift_deny_form',
      private_metadata: '{}',
      state: { values: { reason: { reason: { value: ' ' } } } },
    };
    send('envelope-4', { type: 'view_submission', team: { id: TEAM }, user: { id: 'U1', team_id: TEAM }, view });
    expect(await acknowledged('envelope-4')).toMatchObject({ payload: { response_action: 'errors' } });
    await again.stop();
  });

  it('connects again when it is dropped, when Slack says so, and when Slack turns it away for a while', async () => {
    const again = await startScene(db, workspace, { config: { appToken: workspace.appToken } });
    const before = workspace.socket.connections();
    again.incoming.start();
    await until(() => workspace.socket.connections() === before + 1);
    workspace.socket.drop();
    await until(() => workspace.socket.connections() === before + 2);
    workspace.socket.send({ type: 'disconnect', reason: 'refresh_requested' });
    await until(() => workspace.socket.connections() === before + 3);
    // With the client's own reconnecting, this would end the process.
    workspace.socket.refusal = 'invalid_auth';
    workspace.socket.drop();
    await until(() => again.log().some(({ error }) => String(error).includes('invalid_auth')));
    workspace.socket.refusal = null;
    await until(() => workspace.socket.connections() === before + 4);
    await again.stop();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(workspace.socket.connections()).toBe(before + 4);
  }, 30_000);
});
