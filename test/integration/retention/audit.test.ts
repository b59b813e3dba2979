/** What is given up of the audit, and that nobody with the application's role can give up more: what was done yesterday stays. */
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSealer, readHeads, readPage, type Sealer, verifyAudit } from '../../../src/audit/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { addEvents } from '../../../src/incident/index.ts';
import { giveUpAudit } from '../../../src/retention/give-up-audit.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { addOldSeals, asOwner } from './old-audit.ts';

describe.each(databases)('the oldest part of the audit on $name', ({ open }) => {
  let db: Database;
  let directory: ReturnType<typeof scratchDirectory>;
  let sealer: Sealer;
  let log: Record<string, unknown>[];
  beforeEach(async () => {
    db = await open();
    directory = scratchDirectory();
    log = [];
    sealer = createSealer({ db, log: createLogger('silent'), headFile: join(directory.path, 'audit.head') });
  });
  afterEach(async () => {
    await db.close();
    directory.remove();
  });

  const giveUp = (days = 400) => {
    const write = (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>);
    const dependencies = { db, sealNow: sealer.sealNow, log: createLogger('info', { write }) };
    return giveUpAudit(dependencies, days, new AbortController().signal);
  };
  const verify = (heads = readHeads(join(directory.path, 'audit.head'))) =>
    verifyAudit((seal) => readPage(db, seal), heads);
  const count = async (table: string) =>
    Number((await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(db.q)).rows[0]?.n);
  const say = (data: object) => addEvents(db, null, [{ type: 'audit.pruned', actor: 'mallory', data: { ...data } }]);
  const shaOf = async (which: string) =>
    (await sql<{ sha256: string }>`select sha256 from seal order by id ${sql.raw(which)} limit 1`.execute(db.q)).rows[0]
      ?.sha256 ?? '';
  const prune = () => db.executeSql('select * from prune_audit(500)');

  it('goes, and what is left is whole, begins where the word for it says, and fits the kept heads', async () => {
    await addOldSeals(db, { seals: 6, events: 150, daysAgo: 500 });
    await addOldSeals(db, { seals: 3, events: 5, daysAgo: 100 });
    await addEvents(db, null, [{ type: 'young', actor: 'test', data: {} }]);
    await sealer.sealNow();
    const kept = await shaOf('desc');
    expect(await verify([kept])).toMatchObject({ problems: [], pruned: null, events: 916 });

    expect(await giveUp()).toBe(900 + 5);
    // The last seal that was given up is the anchor; the rest, the young event and the word itself are there.
    expect(await count('event')).toBe(15 + 1 + 1);
    const report = await verify([kept, ...readHeads(join(directory.path, 'audit.head'))]);
    expect(report).toMatchObject({ problems: [], pruned: { seal: '6' }, events: 17, unsealed: 0 });
    const [word] = await db.q.selectFrom('event').select('data').where('type', '=', 'audit.pruned').execute();
    expect(word?.data).toMatchObject({ seal: '6', seals: 6, events: 900, days: 400 });

    expect(await giveUp()).toBe(0);
    expect(await giveUp(50)).toBe(15 + 3);
    expect(await verify([kept])).toMatchObject({ problems: [], pruned: { seal: '9' } });
    await addEvents(db, null, [{ type: 'later', actor: 'test', data: {} }]);
    await sealer.sealNow();
    expect(await verify([kept])).toMatchObject({ problems: [], unsealed: 0 });
  });

  it('is whole also in the middle of being deleted, where a crash may leave it', async () => {
    await addOldSeals(db, { seals: 3, events: 400, daysAgo: 500 });
    await addEvents(db, null, [{ type: 'young', actor: 'test', data: {} }]);
    await sealer.sealNow();
    const { rows } = await sql<{ sha256: string }>`select sha256 from seal where id = 3`.execute(db.q);
    await say({ sha256: rows[0]?.sha256 });
    await sealer.sealNow();
    const left: number[] = [];
    for (let n = 0; n < 6; n += 1) {
      await prune();
      left.push(await count('event'));
      expect((await verify()).problems, `after ${n}`).toEqual([]);
    }
    expect(left).toEqual([702, 202, 2, 2, 2, 2]);
    expect(await count('seal')).toBe(3);
  });

  it('that is gone without a word for it is missed, whoever took it away', async () => {
    await addOldSeals(db, { seals: 4, events: 2, daysAgo: 500 });
    await asOwner(db, 'delete from event where id <= 4', 'delete from seal where id <= 2');
    expect((await verify()).problems).toMatchObject([{ kind: 'chain broken', seal: '3' }]);
    await asOwner(db, 'delete from event where id = 5');
    expect((await verify()).problems.map(({ kind }) => kind)).toEqual(['chain broken', 'row missing']);
  });

  it('is not given up while an incident that was opened before is still open', async () => {
    const incident = (
      await db.q
        .insertInto('incident')
        .values({
          state: 'escalated',
          correlation_key: 'k',
          title: 't',
          severity: 's',
          labels: '{}',
          trace_id: '',
          context: '{}',
          opened_at: new Date(Date.now() - 450 * 86_400_000),
        })
        .returning('id')
        .executeTakeFirstOrThrow()
    ).id;
    await addOldSeals(db, { seals: 3, events: 2, daysAgo: 500 });
    await addOldSeals(db, { seals: 3, events: 2, daysAgo: 449, incident });
    expect(await giveUp()).toBe(6 + 2);
    expect(log).toContainEqual(expect.objectContaining({ incident: `INC-${incident}` }));
    expect(await verify()).toMatchObject({ problems: [], pruned: { seal: '3' } });
    await sql`update incident set state = 'resolved', closed_at = clock_timestamp()`.execute(db.q);
    expect(await giveUp()).toBe(6 + 3);
  });

  describe('whoever has the role of the application', () => {
    beforeEach(async () => {
      await addOldSeals(db, { seals: 4, events: 3, daysAgo: 500 });
      await addOldSeals(db, { seals: 2, events: 3, daysAgo: 29 });
      await addEvents(db, null, [{ type: 'what was done yesterday', actor: 'mallory', data: {} }]);
      await asOwner(db, `update event set at = clock_timestamp() - interval '1 day' where actor = 'mallory'`);
      await sealer.sealNow();
    });

    const attempt = (statement: string) =>
      db.executeSql(statement).then(
        ({ rows }) => JSON.stringify(rows),
        (error: Error) => error.message,
      );
    const isAllThere = async () => {
      expect(await count('event')).toBeGreaterThanOrEqual(19);
      const { rows } = await sql`select from event where type = 'what was done yesterday'`.execute(db.q);
      expect(rows).toHaveLength(1);
    };

    it('deletes nothing without a word for it', async () => {
      expect(await attempt('delete from event')).toMatch(/permission denied/);
      expect(await attempt('delete from seal')).toMatch(/permission denied/);
      expect(await attempt('select * from prune_audit(500)')).toBe('[{"events":0,"seals":0}]');
      // A word that is not sealed yet is none.
      await say({ sha256: await shaOf('asc') });
      expect(await attempt('select * from prune_audit(500)')).toBe('[{"events":0,"seals":0}]');
      await isAllThere();
      expect(await verify()).toMatchObject({ problems: [], pruned: null });
    });

    it('cannot give up what is younger than 30 days by a word of their own, and the word proves nothing', async () => {
      for (const which of ['desc', 'desc offset 1', 'desc offset 2']) {
        await say({ sha256: await shaOf(which), seal: '5' });
        await sealer.sealNow();
        expect(await attempt('select * from prune_audit(500)')).toBe('[{"events":0,"seals":0}]');
      }
      await isAllThere();
      expect(await verify()).toMatchObject({ problems: [], pruned: null });
      // Also whoever gets the rows away by other means cannot pass it off as given up.
      await asOwner(db, `delete from event where type = 'what was done yesterday'`);
      expect((await verify()).problems).toMatchObject([{ kind: 'row missing', seal: '7' }]);
    });

    it('cannot date seals back to reach what is young', async () => {
      const young = `(select id from event where type = 'what was done yesterday')`;
      // Below the first, and over everything, with a time of long ago.
      for (const [id, covered] of [
        [-3, `int8multirange(int8range(${young}, ${young} + 1))`],
        [-2, `'{[-1000000,1000000)}'`],
        [-1, `'{(,)}'`],
      ])
        expect(
          await attempt(`insert into seal (id, covered, event_sha256, previous_sha256, at, sha256)
            values (${id}, ${covered}, decode(repeat('00', 32), 'hex'), '', now() - interval '500 days', 'forged ${id}') returning id`),
        ).toBe(`[{"id":${id}}]`);
      await say({ sha256: 'forged -1' });
      await sealer.sealNow();
      for (let n = 0; n < 5; n += 1) await attempt('select * from prune_audit(500)');
      const { rows } = await sql`select from event where type = 'what was done yesterday'`.execute(db.q);
      expect(rows).toHaveLength(1);
      expect(
        Number(
          (
            await sql<{ n: number }>`select count(*) as n from event where at > now() - interval '30 days'`.execute(
              db.q,
            )
          ).rows[0]?.n,
        ),
      ).toBeGreaterThanOrEqual(7);
      expect((await verify()).problems.map(({ kind }) => kind)).toContain('chain broken');
    });

    it('cannot put tables or functions of their own in the way of the real ones', async () => {
      await say({ sha256: await shaOf('asc') });
      await sealer.sealNow();
      await db.transaction(async () => {
        for (const table of ['event', 'seal'])
          await sql.raw(`create temp table ${table} on commit drop as select * from public.${table}`).execute(db.q);
        await sql.raw(`update pg_temp.seal set at = now() - interval '500 days'`).execute(db.q);
        await sql
          .raw(`update pg_temp.event set at = now() - interval '500 days' where type <> 'audit.pruned'`)
          .execute(db.q);
        await sql.raw(`set local search_path = pg_temp, public`).execute(db.q);
        await sql`insert into pg_temp.event (id, at, type, actor, data) select 999999, now(), 'audit.pruned', 'mallory',
          jsonb_build_object('sha256', (select sha256 from public.seal order by id desc limit 1))`.execute(db.q);
        for (let n = 0; n < 3; n += 1) await sql`select * from public.prune_audit(500)`.execute(db.q);
      });
      await sql`select from event where type = 'what was done yesterday'`
        .execute(db.q)
        .then(({ rows }) => expect(rows).toHaveLength(1));
      // What the real word names is gone, and no more.
      expect(await count('event')).toBe(19 + 1 - 3);
      expect(await verify()).toMatchObject({ problems: [], pruned: { seal: '1' } });
    });
  });

  it('holds the owner of the tables to the same rules', async () => {
    await addOldSeals(db, { seals: 4, events: 3, daysAgo: 500 });
    await addOldSeals(db, { seals: 1, events: 1, daysAgo: 10 });
    const owner = (statement: string) =>
      db
        .transaction(async () => {
          await sql`set local role none`.execute(db.q);
          await sql.raw(statement).execute(db.q);
        })
        .then(
          () => 'done',
          (error: Error) => error.message,
        );
    expect(await owner('delete from event where id = 1')).toMatch(/append-only.*sealed audit.pruned/);
    await say({
      sha256: (await sql<{ sha256: string }>`select sha256 from seal where id = 3`.execute(db.q)).rows[0]?.sha256,
    });
    await sealer.sealNow();
    expect(await owner('delete from event')).toMatch(/younger than 30 days/);
    expect(await owner('delete from event where id = 10')).toMatch(/append-only/);
    expect(await owner('delete from seal where id = 1')).toMatch(/still there/);
    expect(await owner('delete from seal where id = 3')).toMatch(/append-only/);
    expect(await owner('delete from event where id <= 9')).toBe('done');
    expect(await owner('delete from seal where id = 2')).toMatch(/append-only/);
    expect(await owner('delete from seal where id <= 2')).toBe('done');
    expect(await owner('delete from seal where id <= 3')).toMatch(/append-only/);
    expect(await verify()).toMatchObject({ problems: [], pruned: { seal: '3' } });
  });
});
