import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { createSlackOutgoing, type SlackOutgoing } from '../../../src/slack/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import {
  BOT_TOKEN,
  CHANNEL,
  type SlackCall,
  type SlackMessage,
  type SlackStage,
  startSlack,
} from './outgoing-emulator.ts';
import { openStory } from './outgoing-story.ts';

describe.each(anyDatabase)('what Slack shows, from $name', ({ open }) => {
  let db: Database;
  let slack: SlackStage;
  const running: SlackOutgoing[] = [];

  const startOutgoing = (change: { failpoint?: (name: string) => void; cardsPerHour?: number } = {}) => {
    const outgoing = createSlackOutgoing({
      db,
      config: { botToken: BOT_TOKEN, channel: CHANNEL, apiUrl: slack.apiUrl },
      cardsPerHour: 6,
      log: createLogger('silent'),
      metrics: createMetrics(),
      ...change,
    });
    running.push(outgoing);
    outgoing.start();
    return outgoing;
  };
  const stopAll = async () => {
    await Promise.all(running.splice(0).map((outgoing) => outgoing.stop()));
  };
  const rows = () => db.q.selectFrom('slack_message').selectAll().orderBy('id').execute();
  /** Waits until Slack has everything that is wanted, and gives it. */
  const settled = (purposes: readonly string[], seconds = 30) =>
    eventually(
      `${purposes.join(', ')} in Slack`,
      async () => {
        const stored = await rows();
        const there = stored.every((row) => row.content_sha256 === row.wanted_sha256);
        const names = stored.map(({ purpose }) => purpose);
        if (!there || !purposes.every((purpose) => names.includes(purpose))) return undefined;
        return new Map(stored.map((row) => [row.purpose, row]));
      },
      seconds,
    );
  const purposeOf = async (message: SlackMessage) =>
    (await rows()).find(({ id }) => id === message.metadata.event_payload.outbox)?.purpose;
  const sends = (method = 'chat.postMessage') => slack.calls.filter((call) => call.method === method);
  const outboxOf = ({ parameters }: SlackCall) =>
    (JSON.parse(parameters.metadata ?? '{}') as SlackMessage['metadata']).event_payload.outbox;
  const fateOnce = (of: (call: SlackCall) => boolean, fate: ReturnType<SlackStage['fate']>) => {
    let met = false;
    slack.fate = (call) => {
      if (met || !of(call)) return 'pass';
      met = true;
      return fate;
    };
  };
  const isPost = ({ method }: SlackCall) => method === 'chat.postMessage';
  const isReply = (call: SlackCall) => isPost(call) && call.parameters.thread_ts !== undefined;

  beforeAll(async () => {
    db = await open();
  });
  afterAll(async () => {
    await db?.close();
  });
  beforeEach(async () => {
    slack = await startSlack();
  });
  afterEach(async () => {
    await stopAll();
    await slack.stop();
    for (const table of ['slack_message', 'slack_thread', 'slack_channel'] as const)
      await db.q.deleteFrom(table).execute();
    // What earlier tests opened is over, so that no later one meets it.
    await db.q.updateTable('incident').set({ state: 'stopped', closed_at: new Date() }).execute();
  });

  it('is one thread for an incident, updated in place from the alert to the summary', async () => {
    startOutgoing();
    const story = await openStory(db);
    const root = (await settled(['root'])).get('root');
    const [first] = await slack.messages();
    expect(first).toMatchObject({
      ts: root?.ts,
      unfurl_links: false,
      unfurl_media: false,
      mrkdwn: false,
      parse: 'none',
    });
    expect(JSON.stringify(first?.blocks)).toContain('SpoolStuck (shop)');

    await story.diagnose();
    await settled(['root', 'diagnosis:1']);
    const approval = await story.ask();
    await settled([`card:${approval.id}`]);
    const asking = await slack.messages();
    const card = asking.find(({ reply_broadcast: broadcast }) => broadcast);
    expect(card).toMatchObject({ thread_ts: root?.ts, unfurl_links: false });
    expect(JSON.stringify(card?.blocks)).toContain('nightshift_approve');
    expect(JSON.stringify(asking.find(({ ts }) => ts === root?.ts)?.blocks)).toContain('waits for an approval');

    await story.answer(approval, 'approve', 'anna');
    await story.ran();
    await settled(['attempt:1.1']);
    await story.event('verification.recovered', { checks: [{ check: 'it answers', passed: true, saw: '' }] });
    await story.event('incident.resolved', { attempts: 1, seconds: 4 });
    await story.move('resolved');
    await settled(['summary:1']);

    const thread = await slack.messages();
    const purposes = await Promise.all(thread.map(purposeOf));
    expect(purposes).toEqual(['root', 'diagnosis:1', `card:${approval.id}`, 'attempt:1.1', 'summary:1']);
    expect(thread.slice(1).every(({ thread_ts: of }) => of === root?.ts)).toBe(true);
    const [rootNow, diagnosis, decided, attempt, summary] = thread.map(({ blocks }) => JSON.stringify(blocks));
    expect(rootNow).toContain('✅ INC-');
    expect(rootNow).not.toContain('"actions"');
    expect(diagnosis).toContain('“Purge the spool.”');
    expect(decided).toContain('anna approved via cli');
    expect(decided).not.toContain('"actions"');
    expect(attempt).toContain('it is healthy again');
    expect(summary).toContain('nightshift_unhelpful');
    // Nothing is sent twice, and never faster than Slack allows.
    expect(sends()).toHaveLength(5);
    const at = [...sends(), ...sends('chat.update')].map((call) => call.at).sort((a, b) => a - b);
    for (const [index, moment] of at.entries())
      if (index > 0) expect(moment - (at[index - 1] ?? 0)).toBeGreaterThanOrEqual(950);

    await story.event('person.rated', { cycle: 1, helpful: true }, 'anna');
    await eventually('the rating in the summary', async () =>
      JSON.stringify((await slack.messages()).at(-1)?.blocks).includes('👍 anna') ? true : undefined,
    );
  });

  it.each([
    ['the answer to a root is lost', isPost, 'lose the answer', 'conversations.history'],
    ['the answer to a reply is lost', isReply, 'lose the answer', 'conversations.replies'],
    ['a root is answered with 500', isPost, 'fail after', 'conversations.history'],
    ['a root never arrives', isPost, 'lose', 'conversations.history'],
    ['a reply never arrives', isReply, 'lose', 'conversations.replies'],
  ] as const)('has each message once though %s', async (_what, of, fate, readBy) => {
    slack.pageSize = 1;
    await slack.post({ text: 'somebody talks' });
    fateOnce(of, fate);
    startOutgoing();
    const story = await openStory(db);
    await story.diagnose();
    await eventually('the trouble', async () => (slack.calls.some(of) ? true : undefined));
    await slack.post({ text: 'somebody talks on, so that it is not on the first page' });
    await settled(['root', 'diagnosis:1']);
    const ours = (await slack.messages()).filter(({ metadata }) => metadata);
    expect(await Promise.all(ours.map(purposeOf))).toEqual(['root', 'diagnosis:1']);
    const troubled = slack.calls.find(of);
    const tries = sends().filter((call) => troubled && outboxOf(call) === outboxOf(troubled));
    expect(tries).toHaveLength(fate === 'lose' ? 2 : 1);
    const read = slack.calls.find(({ method }) => method === readBy);
    expect(read?.at).toBeGreaterThan(tries[0]?.at ?? 0);
    expect(read?.at).toBeLessThanOrEqual(tries[1]?.at ?? Date.now());
    expect(sends()).toHaveLength(fate === 'lose' ? 3 : 2);
  });

  it('keeps what it has found, and brings it up to date', async () => {
    fateOnce(isPost, 'lose the answer');
    startOutgoing();
    const story = await openStory(db);
    await eventually('the lost answer', async () => (sends().length > 0 ? true : undefined));
    await story.move('acting');
    await settled(['root']);
    const [root, ...others] = await slack.messages();
    expect(others).toEqual([]);
    expect(JSON.stringify(root?.blocks)).toContain('acting');
    expect(sends('chat.update')).toHaveLength(1);
  });

  it('does not take another installation’s message for its own', async () => {
    const story = await openStory(db);
    fateOnce(isPost, 'lose');
    startOutgoing();
    const row = await eventually('the row of the root', async () => (await rows())[0]);
    const mark = { outbox: row.id, installation: '00000000-0000-4000-8000-000000000000', content: row.wanted_sha256 };
    const { ts } = await slack.post({
      text: 'hi',
      metadata: { event_type: 'nightshift_message', event_payload: mark },
    });
    const root = (await settled(['root'])).get('root');
    expect(root?.ts).not.toBe(ts);
    expect(root?.incident_id).toBe(story.id);
    expect(await slack.messages()).toHaveLength(2);
  });

  it('waits as long as Slack says when it says 429', async () => {
    let limited = 0;
    fateOnce(isPost, { status: 429, headers: { 'retry-after': '4' }, body: { ok: false, error: 'ratelimited' } });
    const { fate } = slack;
    slack.fate = (call) => {
      const next = fate(call);
      if (typeof next === 'object') limited = call.at;
      return next;
    };
    startOutgoing();
    await openStory(db, 'first');
    await openStory(db, 'second');
    await settled(['root']);
    await eventually('both roots', async () => ((await slack.messages()).length === 2 ? true : undefined));
    const after = slack.calls.filter(({ at }) => at > limited);
    expect((after[0]?.at ?? 0) - limited).toBeGreaterThanOrEqual(3900);
    // It surely was not posted, so nothing is read back.
    expect(after.map(({ method }) => method)).toEqual(['chat.postMessage', 'chat.postMessage']);
  });

  it('is sent once though two processes send', async () => {
    for (let count = 0; count < 2; count += 1) await (await openStory(db)).diagnose();
    startOutgoing();
    startOutgoing();
    await eventually('four messages', async () => ((await slack.messages()).length >= 4 ? true : undefined));
    await settled(['root', 'diagnosis:1']);
    const sent = sends().map(outboxOf);
    expect(new Set(sent).size).toBe(sent.length);
    expect(await slack.messages()).toHaveLength(4);
    const at = slack.calls.map((call) => call.at);
    for (const [index, moment] of at.entries())
      if (index > 0) expect(moment - (at[index - 1] ?? 0)).toBeGreaterThanOrEqual(950);
  });

  it('comes up to date when Slack comes back, and nothing is approved meanwhile', async () => {
    await slack.down();
    startOutgoing();
    const story = await openStory(db);
    const approval = await story.ask();
    await eventually('a failed try', async () => ((await rows()).some((row) => row.last_error) ? true : undefined));
    await story.diagnose();
    await story.move('awaiting_approval');
    const { status } = await db.q
      .selectFrom('approval')
      .select('status')
      .where('id', '=', approval.id)
      .executeTakeFirstOrThrow();
    expect(status).toBe('pending');
    await slack.up();
    await settled(['root', `card:${approval.id}`, 'diagnosis:1']);
    const purposes = await Promise.all((await slack.messages()).map(purposeOf));
    // People are waited for, so the card goes first.
    expect(purposes).toEqual(['root', `card:${approval.id}`, 'diagnosis:1']);
  });

  it.each(['slack.before-send', 'slack.after-send'])(
    'has each message once though the process dies at %s',
    async (point) => {
      let died = false;
      const dying = startOutgoing({
        failpoint: (name) => {
          if (name !== point || died) return;
          died = true;
          throw new Error('killed');
        },
      });
      await openStory(db);
      await eventually('the death', async () => (died ? true : undefined));
      await dying.stop();
      const [row] = await rows();
      expect(row).toMatchObject({ ts: null, content_sha256: null, sending_since: expect.any(Date) });
      expect(row?.due_at.getTime()).toBeGreaterThan(Date.now());
      // Its claim has lapsed.
      await db.q.updateTable('slack_message').set({ due_at: new Date() }).execute();
      startOutgoing();
      await settled(['root']);
      expect(await slack.messages()).toHaveLength(1);
      expect(sends()).toHaveLength(1);
      expect(sends('conversations.history')).toHaveLength(1);
    },
  );

  it('leaves out what was over before it was connected, and nothing after that', async () => {
    const over = await openStory(db, 'over before');
    await over.move('resolved');
    const still = await openStory(db, 'still open');
    startOutgoing();
    await settled(['root']);
    await stopAll();
    const quick = await openStory(db, 'over at once');
    await quick.event('incident.resolved', { attempts: 0, seconds: 1 });
    await quick.move('resolved');
    startOutgoing();
    await eventually('the quick one', async () => ((await slack.messages()).length >= 3 ? true : undefined));
    const shown = (await rows()).filter(({ purpose }) => purpose === 'root').map((row) => row.incident_id);
    expect(shown).toEqual([still.id, quick.id]);
  });

  it('does not post a card that was decided before it could be posted', async () => {
    slack.fate = () => 'lose';
    startOutgoing();
    const story = await openStory(db);
    const approval = await story.ask();
    await eventually('the row of the card', async () => ((await rows()).length === 2 ? true : undefined));
    await story.answer(approval, 'deny', 'anna');
    await eventually('the end of the card', async () => ((await rows()).length === 1 ? true : undefined));
    slack.fate = () => 'pass';
    await settled(['root']);
    expect(await slack.messages()).toHaveLength(1);
  });

  it('does not post a decided card either when a try to post it was lost', async () => {
    fateOnce(isReply, 'lose');
    startOutgoing();
    const story = await openStory(db);
    const approval = await story.ask();
    await eventually('the lost card', async () => (slack.calls.some(isReply) ? true : undefined));
    await story.answer(approval, 'deny', 'anna');
    await eventually('the end of the card', async () => ((await rows()).length === 1 ? true : undefined));
    expect(sends('conversations.replies')).toHaveLength(1);
    expect(await slack.messages()).toHaveLength(1);
  });

  it('lets go of a message that somebody deleted, and goes on with the others', async () => {
    startOutgoing();
    const story = await openStory(db);
    await story.diagnose();
    const { ts } = (await settled(['root', 'diagnosis:1'])).get('diagnosis:1') ?? {};
    await slack.remove(ts ?? '');
    await story.move('planned', {
      diagnosis: {
        mode: 'runbook',
        model: null,
        rootCause: 'Something else.',
        confidence: 'low',
        inconclusive: true,
        citations: [],
        ruledOut: [],
        unknowns: [],
      },
    });
    await eventually('the try', async () =>
      sends('chat.update').some(({ parameters }) => parameters.ts === ts) ? true : undefined,
    );
    await settled(['root', 'diagnosis:1']);
    const tries = () => sends('chat.update').filter(({ parameters }) => parameters.ts === ts).length;
    expect(tries()).toBe(1);
    expect(await slack.messages()).toHaveLength(1);
  });
});
