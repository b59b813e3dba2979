/** What is read together is of one moment. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, json, openPostgres } from '../../../src/database/index.ts';
import { throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { requireParts } from '../../real-parts/require.ts';

const story = 'a snapshot';
describe.skipIf(requireParts(story, 'postgres'))(story, () => {
  let [one, other] = [null as unknown as Database, null as unknown as Database];
  const closers: (() => unknown)[] = [];
  beforeEach(async () => {
    const { url, drop } = await throwawayDatabaseUrl();
    closers.push(drop);
    one = await openPostgres(url);
    closers.push(() => one.close());
    other = await openPostgres(url);
    closers.push(() => other.close());
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  const add = (db: Database) =>
    db.q
      .insertInto('event')
      .values({ incident_id: null, type: 'a.test', actor: 'test', data: json({}) })
      .execute();
  const count = async (db: Database) => (await db.q.selectFrom('event').select('id').execute()).length;

  it('shows nothing of what is committed while it is read', async () => {
    const [first, last] = await one.snapshot(async () => {
      const before = await count(one);
      await add(other);
      return [before, await one.snapshot(() => count(one))];
    });
    expect(last).toBe(first);
    expect(await count(one)).toBe(first + 1);
  });

  it('writes nothing', async () => {
    await expect(one.snapshot(() => add(one))).rejects.toThrow(/read-only transaction/);
  });
});
