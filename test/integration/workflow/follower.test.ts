import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { createFollower } from '../../../src/incident/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { asOwner } from '../retention/old-audit.ts';

it.each(databases)('whoever follows leaves nothing behind on $name, however often they ask', async ({ open }) => {
  const db = await open();
  const follower = createFollower({ db, channel: 'test', log: { warn: () => {} } });
  await follower.start();
  const { last } = await follower.begin(null);
  await asOwner(db, `insert into event (type, actor, data) values ('test.done', 'test', '{}')`);
  const gone = new AbortController();
  for (let times = 0; times < 5; times += 1) expect(await follower.next(last, gone.signal)).toHaveLength(1);
  expect(getEventListeners(gone.signal, 'abort')).toHaveLength(0);
  await follower.stop();
  await db.close();
});
