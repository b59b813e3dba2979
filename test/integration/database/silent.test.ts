/** A served database that goes away while it is used: nothing waits for ever, nothing ends the process, and the way back is short. */
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, databaseTrouble, openPostgres } from '../../../src/database/index.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../../real-parts/database-proxy.ts';
import { throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';

const LOCK = sql`select pg_advisory_xact_lock(42)`;

const story = 'a database that goes away';
describe.skipIf(requireParts(story, 'postgres'))(story, () => {
  let proxy: DatabaseProxy;
  let db: Database;
  const closers: (() => unknown)[] = [];
  beforeEach(async () => {
    const { url, drop } = await throwawayDatabaseUrl();
    closers.push(drop);
    proxy = await startDatabaseProxy(url);
    closers.push(proxy.stop);
    db = await openPostgres(proxy.url);
    closers.push(() => db.close());
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  const failure = async (work: Promise<unknown>) => {
    const began = performance.now();
    const error: unknown = await work.then(
      () => null,
      (reason: unknown) => reason,
    );
    return { trouble: databaseTrouble(error)?.code, seconds: (performance.now() - began) / 1000 };
  };

  it('between two statements of a transaction fails that transaction, and nothing else', async () => {
    const failed = await failure(
      db.transaction(async () => {
        await LOCK.execute(db.q);
        await proxy.become('refuses');
        await new Promise((resolve) => setTimeout(resolve, 200));
        await LOCK.execute(db.q);
      }),
    );
    expect(failed.trouble).toBe('database_unavailable');
    await proxy.become('there');
    await db.ping();
  });

  it('without a word is noticed within seconds, and what it was doing holds no lock for long', async () => {
    const words: string[] = [];
    const unlisten = await db.listen('there', (word) => words.push(word));
    const failed = await failure(
      db.transaction(async () => {
        await LOCK.execute(db.q);
        await proxy.become('silent');
        await db.ping();
      }),
    );
    expect(failed.trouble).toBe('database_unavailable');
    expect(failed.seconds).toBeLessThan(7);
    expect((await failure(db.ping())).seconds).toBeLessThan(7);

    await proxy.become('there');
    await eventually('the lock', () => db.transaction(async () => (await LOCK.execute(db.q)).rows), 6);
    await eventually('the listener to hear that it has missed something', async () => words[1], 12);
    await db.q.selectNoFrom(sql`pg_notify('there', 'again')`.as('told')).execute();
    await eventually('a word', async () => (words.includes('again') ? true : undefined), 5);
    await unlisten();
  });

  it('gives up a statement that takes too long, and goes on with the same connection', async () => {
    const { trouble, seconds } = await failure(sql`select pg_sleep(20)`.execute(db.q));
    expect(trouble).toBe('database_unavailable');
    expect(seconds).toBeLessThan(5.9);
    await db.ping();
  });
});
