import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { type Database, openEmbedded, openPostgres } from '../../../src/database/index.ts';
import { copyEmbedded, databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';

describe.each(databases)('a schema that a newer version has made, on $name', ({ name }) => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  const place = async (): Promise<() => Promise<Database>> => {
    if (name === 'embedded') {
      const { path, remove } = scratchDirectory();
      closers.push(remove);
      await copyEmbedded(path);
      return () => openEmbedded(path);
    }
    const { url, drop } = await throwawayDatabaseUrl();
    closers.push(drop);
    return () => openPostgres(url);
  };
  const applied = async (open: () => Promise<Database>, migration: string) => {
    const db = await open();
    await sql`set role none`.execute(db.q);
    await db.transaction(async () => {
      await sql`set local role none`.execute(db.q);
      await sql`insert into kysely_migration (name, timestamp) values (${migration}, ${new Date().toISOString()})`.execute(
        db.q,
      );
    });
    await db.close();
  };

  it('is used as it is, so that an older replica can start again during a deploy', async () => {
    const open = await place();
    await applied(open, '9999_later');
    const db = await open();
    closers.push(() => db.close());
    expect((await sql`select id from incident`.execute(db.q)).rows).toEqual([]);
    expect((await sql`select name from kysely_migration where name = '9999_later'`.execute(db.q)).rows).toHaveLength(1);
  });

  it('is refused where it is not one that goes on from here', async () => {
    const open = await place();
    await applied(open, '0005_other');
    await expect(open()).rejects.toThrow(/0005_other/);
  });
});
