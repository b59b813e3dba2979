/** What is wanted in Slack, before anything is sent. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Database, json } from '../../../src/database/index.ts';
import { connectChannel, incidentOfThread } from '../../../src/slack/store.ts';
import { createRenderThreads } from '../../../src/slack/threads.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { openStory } from './outgoing-story.ts';

const CHANNEL = 'C000000001';

describe.each(anyDatabase)('the threads that Slack should show, from $name', ({ name, open }) => {
  let db: Database;
  const logged: string[] = [];
  const renderThreads = () => {
    const log = createLogger('info', { write: (line) => void logged.push(line) });
    return createRenderThreads({ db, channel: CHANNEL, cardsPerHour: 6, log });
  };
  const wanted = async (like: string) =>
    (await db.q.selectFrom('slack_message').selectAll().where('purpose', 'like', like).orderBy('id').execute()).map(
      (row) => ({
        ...row,
        shows: JSON.stringify(row.wanted),
      }),
    );

  beforeAll(async () => {
    db = await open();
  });
  afterAll(async () => {
    await db?.close();
  });
  afterEach(async () => {
    for (const table of ['slack_message', 'slack_thread', 'slack_channel'] as const)
      await db.q.deleteFrom(table).execute();
    await db.q.updateTable('incident').set({ state: 'stopped', closed_at: new Date() }).execute();
  });

  it('hold no more cards than are allowed in an hour, and say how many questions wait (SLK-022)', async () => {
    await connectChannel(db, CHANNEL);
    const stories = [];
    for (let count = 0; count < 60; count += 1) {
      const story = await openStory(db);
      stories.push({ story, approval: await story.ask() });
    }
    const render = renderThreads();
    await Promise.all([render(), renderThreads()()]);
    await render();
    expect(await wanted('card:%')).toHaveLength(6);
    const waiting = (await wanted('root')).filter(({ shows }) =>
      shows.includes('1 more question waits: nightshift approvals'),
    );
    expect(waiting).toHaveLength(54);

    // An hour later there is room again, though nothing was said meanwhile.
    const hour = (at: Date) => new Date(at.getTime() - 3601 * 1000);
    for (const { id, created_at: at } of await wanted('card:%'))
      await db.q
        .updateTable('slack_message')
        .set({ created_at: hour(at) })
        .where('id', '=', id)
        .execute();
    for (const row of await db.q.selectFrom('slack_thread').selectAll().execute())
      if (row.look_again_at)
        await db.q
          .updateTable('slack_thread')
          .set({ look_again_at: hour(row.look_again_at) })
          .where('incident_id', '=', row.incident_id)
          .execute();
    await render();
    await render();
    expect(await wanted('card:%')).toHaveLength(12);
    expect((await wanted('root')).filter(({ shows }) => shows.includes('1 more question'))).toHaveLength(48);

    // A question that waited and was answered elsewhere gets no card.
    const last = stories.at(-1);
    if (!last) throw new Error('there is none');
    await last.story.answer(last.approval, 'deny', 'anna');
    await render();
    expect(await wanted('card:%')).toHaveLength(12);
  });

  it('are rendered again only when something was added', async () => {
    await connectChannel(db, CHANNEL);
    const story = await openStory(db);
    const render = renderThreads();
    const shows = async () => (await db.q.selectFrom('slack_thread').select('shows').executeTakeFirstOrThrow()).shows;
    await render();
    const before = await shows();
    await render();
    expect(await shows()).toBe(before);
    await story.event('anything');
    await render();
    expect(await shows()).not.toBe(before);
  });

  // The embedded database has one session, so there no transaction commits after a later one.
  if (name !== 'embedded')
    it('miss no event whose transaction commits after a later one', async () => {
      await connectChannel(db, CHANNEL);
      const story = await openStory(db);
      const render = renderThreads();
      const shows = async () => (await db.q.selectFrom('slack_thread').select('shows').executeTakeFirstOrThrow()).shows;
      const [begun, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const late = db.transaction(async () => {
        await story.event('late');
        begun.resolve();
        await release.promise;
      });
      await begun.promise;
      await story.event('later, but committed first');
      await render();
      const before = await shows();
      release.resolve();
      await late;
      await render();
      expect(await shows()).not.toBe(before);
    });

  it('do not wait for one that cannot be rendered', async () => {
    await connectChannel(db, CHANNEL);
    const broken = await openStory(db);
    await db.q
      .updateTable('incident')
      .set({ labels: json({ alertname: 1 }) })
      .where('id', '=', broken.id)
      .execute();
    const whole = await openStory(db);
    const render = renderThreads();
    await render();
    await render();
    expect((await wanted('root')).map((row) => row.incident_id)).toEqual([whole.id]);
    expect(logged.filter((line) => line.includes('cannot render'))).toHaveLength(1);
    await db.q
      .updateTable('incident')
      .set({ labels: json({}) })
      .where('id', '=', broken.id)
      .execute();
  });

  it('leave a message alone that is being sent, and want the newer one after it', async () => {
    await connectChannel(db, CHANNEL);
    const story = await openStory(db);
    const render = renderThreads();
    await render();
    const claimedUntil = new Date(Date.now() + 60_000);
    await db.q.updateTable('slack_message').set({ due_at: claimedUntil, sending_since: new Date() }).execute();
    await story.move('acting');
    await render();
    const [root] = await wanted('root');
    expect(root?.shows).toContain('acting');
    expect(root?.due_at).toEqual(claimedUntil);
    expect(root?.sending_since).not.toBeNull();
  });

  it('are found by the ts of their root', async () => {
    await connectChannel(db, CHANNEL);
    const story = await openStory(db);
    await renderThreads()();
    expect(await incidentOfThread(db, CHANNEL, '1.1')).toBeNull();
    await db.q.updateTable('slack_message').set({ ts: '1.1' }).execute();
    expect(await incidentOfThread(db, CHANNEL, '1.1')).toBe(story.id);
    expect(await incidentOfThread(db, 'C000000002', '1.1')).toBeNull();
  });

  it('carry no markup of an alert’s words (ANN-007)', async () => {
    await connectChannel(db, CHANNEL);
    await openStory(db, '<!channel> <https://attacker.example/ok|Approve here> `@here`');
    await renderThreads()();
    const [root] = await wanted('root');
    expect(root?.shows).not.toMatch(/<|https:|@here|`|mrkdwn/);
  });
});
