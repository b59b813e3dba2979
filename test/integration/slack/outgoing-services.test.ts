/** Threads of a service's incidents begin in its own channel. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { json } from '../../../src/database/index.ts';
import { connectChannel } from '../../../src/slack/store.ts';
import { channelsOf, createRenderThreads } from '../../../src/slack/threads.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { openStory } from './outgoing-story.ts';

const CHANNEL = 'C000000001';
const OWN = 'C000000002';

describe.each(anyDatabase)('threads of services, from $name', ({ open }) => {
  let db: Database;
  const { services } = parseConfig({
    env: {},
    directory: '/srv',
    toolsetSettings: {},
    file: null,
    readFile: () => `services:\n  - {name: payments, slack_channel: ${OWN}}\n  - {name: search}\n`,
  });
  const render = (of: typeof services | null) =>
    createRenderThreads({ db, channel: CHANNEL, services: of, cardsPerHour: 6, log: createLogger('silent') })();

  beforeAll(async () => {
    db = await open();
    for (const channel of channelsOf(CHANNEL, services)) await connectChannel(db, channel);
  });
  afterAll(() => db?.close());

  const openAbout = async (service: string) => {
    const { id } = await openStory(db);
    await db.q
      .updateTable('incident')
      .set({ labels: json({ alertname: 'Down', service }) })
      .where('id', '=', id)
      .execute();
    await db.q
      .updateTable('alert')
      .set({ labels: json({ alertname: 'Down', service }) })
      .where('incident_id', '=', id)
      .execute();
    return id;
  };
  const channelOf = async (id: number) => {
    const rows = await db.q.selectFrom('slack_message').select('channel').where('incident_id', '=', id).execute();
    return [...new Set(rows.map(({ channel }) => channel))];
  };

  it('begin in its channel, and all others in the one for everything', async () => {
    const [payments, search, unknown] = [await openAbout('payments'), await openAbout('search'), await openAbout('x')];
    await render(services);
    expect(await channelOf(payments)).toEqual([OWN]);
    expect(await channelOf(search)).toEqual([CHANNEL]);
    expect(await channelOf(unknown)).toEqual([CHANNEL]);
  });

  it('stay where they began', async () => {
    const id = await openAbout('payments');
    await render(null);
    await db.q.updateTable('incident').set({ version: 99 }).where('id', '=', id).execute();
    await render(services);
    expect(await channelOf(id)).toEqual([CHANNEL]);
  });

  it('are of as many channels as are named, each once', () => {
    expect(channelsOf(CHANNEL, services)).toEqual([CHANNEL, OWN]);
    expect(channelsOf(OWN, services)).toEqual([OWN]);
    expect(channelsOf(CHANNEL, null)).toEqual([CHANNEL]);
  });
});
