/** T13: of ten thousand sealed events every one is changed in each column, dropped, and swapped with the next; all of it must be found. */
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AuditPage,
  createSealer,
  type EventRow,
  GENESIS,
  type Link,
  makeSeal,
  readHeads,
  readPage,
  type SealRow,
  verifyAudit,
  verifyPage,
} from '../../../src/audit/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';

const EVENTS = 10_000;
const SIZES = [1, 20, 12, 2, 17, 9, 16, 5, 20, 10];
const SAMPLE = 200;

const CHANGES: Record<string, (row: EventRow) => EventRow> = {
  id: (row) => ({ ...row, id: String(BigInt(row.id) + 1_000_000n) }),
  incident_id: (row) => ({ ...row, incidentId: row.incidentId === null ? '1' : null }),
  at: (row) => ({ ...row, at: row.at.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')) }),
  type: (row) => ({ ...row, type: `${row.type}.` }),
  actor: (row) => ({ ...row, actor: row.actor.replace('actor', 'acter') }),
  data: (row) => ({ ...row, data: row.data.replace('00000001', '00000002') }),
};

/** The same changes, written by whoever owns the tables. */
const STATEMENTS: Record<string, (id: string, next: string) => ReturnType<typeof sql>> = {
  id: (
    id,
  ) => sql`with gone as (delete from event where id = ${id}::bigint returning *) insert into event overriding system value
    select id + 1000000, incident_id, at, type, actor, data from gone`,
  incident_id: (id) =>
    sql`update event set incident_id = case when incident_id is null then 1 end where id = ${id}::bigint`,
  at: (id) => sql`update event set at = at + interval '1 microsecond' where id = ${id}::bigint`,
  type: (id) => sql`update event set type = type || '.' where id = ${id}::bigint`,
  actor: (id) => sql`update event set actor = replace(actor, 'actor', 'acter') where id = ${id}::bigint`,
  data: (id) =>
    sql`update event set data = replace(data::text, '00000001', '00000002')::jsonb where id = ${id}::bigint`,
  drop: (id) => sql`delete from event where id = ${id}::bigint`,
  swap: (
    id,
    next,
  ) => sql`update event a set incident_id = b.incident_id, at = b.at, type = b.type, actor = b.actor, data = b.data
    from event b where (a.id, b.id) in ((${id}::bigint, ${next}::bigint), (${next}::bigint, ${id}::bigint))`,
};

describe.each(anyDatabase)('ten thousand sealed events on $name', ({ name: database, open }) => {
  const directory = scratchDirectory();
  const headFile = join(directory.path, 'audit.head');
  let db: Database;
  let events: EventRow[];
  /** Every seal with its events, and where the chain stood before it. */
  let batches: { before: Link; seal: SealRow; events: EventRow[] }[];
  const whole = (heads = readHeads(headFile)) => verifyAudit((seal) => readPage(db, seal), heads);

  beforeAll(async () => {
    db = await open();
    const sealer = createSealer({ db, log: createLogger('silent'), headFile });
    await sql`insert into incident (state, correlation_key, title, severity, labels, trace_id, context)
      select 'received', 'key ' || n, 'title', 'critical', '{}', '', '{}' from generate_series(1, 3) n`.execute(db.q);
    const insert = (count: number) =>
      sql`insert into event (incident_id, type, actor, data)
        select nullif(1 + n % 4, 4), 'type.' || n % 5, 'actor ' || n, jsonb_build_object('n', n, 'text', 'ä "quoted" \u2028 😀', 'exact', 0.1234567890123456789000000001)
        from generate_series(1, ${count}::int) n`.execute(db.q);
    for (let [round, left] = [0, EVENTS]; left > 0; round += 1) {
      const count = Math.min(left, SIZES[round % SIZES.length] ?? 1);
      await insert(count);
      left -= count;
      // What is rolled back leaves a gap among the ids.
      if (round % 7 === 0)
        await db.transaction(() => insert(2).then(() => Promise.reject(new Error('no')))).catch(() => {});
      await sealer.sealNow();
    }
    await sealer.stop();

    batches = [];
    let before = GENESIS;
    for (let page = await readPage(db, null); page.seals.length > 0; page = await readPage(db, before.seal)) {
      const byId = new Map(page.events.map((event) => [event.id, event]));
      for (const seal of page.seals) {
        const covered = await coveredEvents(db, seal, byId);
        batches.push({ before, seal, events: covered });
        before = verifyPage(before, { seals: [seal], events: covered }).link;
      }
    }
    events = batches.flatMap((batch) => batch.events);
  }, 120_000);
  afterAll(async () => {
    await db?.close();
    directory.remove();
  });

  it('are whole, in many seals', async () => {
    expect(events).toHaveLength(EVENTS);
    expect(batches.length).toBeGreaterThan(300);
    expect(await whole()).toMatchObject({ problems: [], late: [], events: EVENTS, seals: batches.length, unsealed: 0 });
    const { rows } = await sql<{ name: string }>`
      select column_name::text as name from information_schema.columns where table_schema = 'public' and table_name = 'event' order by 1`.execute(
      db.q,
    );
    // A new column must be sealed as well, but for that which only says where a reader goes on.
    expect(rows.map(({ name }) => name).filter((name) => name !== 'tx')).toEqual(Object.keys(CHANGES).sort());
  });

  if (database === 'embedded')
    it('give away each of 80,000 tamperings of what a verification reads', () => {
      const missed: string[] = [];
      let tried = 0;
      const expectFound = (what: string, before: Link, page: AuditPage, id: string) => {
        tried += 1;
        if (!verifyPage(before, page).problems.some(({ event }) => event === id)) missed.push(`${what} of ${id}`);
      };
      for (const [number, { before, seal, events: own }] of batches.entries()) {
        for (const [index, row] of own.entries()) {
          for (const [column, change] of Object.entries(CHANGES))
            expectFound(column, before, { seals: [seal], events: own.with(index, change(row)) }, row.id);
          expectFound('drop', before, { seals: [seal], events: own.toSpliced(index, 1) }, row.id);
          const following = batches[number + 1];
          const rest = own[index + 1]
            ? { seals: [seal], events: own }
            : following && { seals: [seal, following.seal], events: [...own, ...following.events] };
          const next = rest?.events[index + 1];
          if (rest && next) {
            const swapped = rest.events.with(index, { ...next, id: row.id }).with(index + 1, { ...row, id: next.id });
            expectFound('swap', before, { seals: rest.seals, events: swapped }, row.id);
          }
        }
      }
      expect(missed).toEqual([]);
      expect(tried).toBe(EVENTS * 8 - 1);
    }, 120_000);

  it('give away every change of a seal, a seal that is missing, and seals that changed places', () => {
    const next = (seal: SealRow, part: Partial<SealRow>) => ({ ...seal, ...part });
    const flip = (text: string) => text.replace(/[0-9a-f](?=[^0-9a-f]*$)/, (digit) => (digit === '0' ? '1' : '0'));
    for (const [number, { before, seal, events: own }] of batches.entries()) {
      for (const column of Object.keys(seal) as (keyof SealRow)[]) {
        const page = { seals: [next(seal, { [column]: flip(seal[column]) })], events: own };
        expect(verifyPage(before, page).problems, `${column} of ${seal.id}`).not.toEqual([]);
      }
      const following = batches[number + 1];
      if (!following) continue;
      const skipped = { seals: [following.seal], events: following.events };
      expect(verifyPage(before, skipped).problems.map(({ kind }) => kind)).toContain('chain broken');
      const swapped = [next(following.seal, { id: seal.id }), next(seal, { id: following.seal.id })];
      expect(verifyPage(before, { seals: swapped, events: [...own, ...following.events] }).problems).not.toEqual([]);
    }
  });

  it(`give away ${SAMPLE} tamperings in the database itself`, async () => {
    const names = Object.keys(STATEMENTS);
    const missed: string[] = [];
    for (let turn = 0; turn < SAMPLE; turn += 1) {
      const number = Math.floor((turn * (events.length - 1)) / SAMPLE);
      const [row, next] = events.slice(number, number + 2) as [EventRow, EventRow];
      const name = names[turn % names.length] ?? '';
      const batch = batches.find((one) => one.events.includes(row));
      const found = await asOwner(db, async () => {
        const result = await STATEMENTS[name]?.(row.id, next.id).execute(db.q);
        expect(result?.numAffectedRows, name).toBeGreaterThan(0n);
        const { seal, ...before } = batch?.before ?? GENESIS;
        const page = await readPage(db, seal === '0' ? null : seal);
        return verifyPage({ seal, ...before }, page).problems;
      });
      if (!found.some(({ event }) => event === row.id)) missed.push(`${name} of ${row.id}`);
    }
    expect(missed).toEqual([]);
    expect(await whole()).toMatchObject({ problems: [], events: EVENTS });
  }, 120_000);

  it('give away that the newest were cut off, or all was made anew, to whoever has kept a head', async () => {
    const head = batches.at(-1)?.seal.sha256 ?? '';
    const older = batches[100]?.seal.sha256 ?? '';
    expect(readHeads(headFile)).toEqual([head]);
    expect(await whole([older, head])).toMatchObject({ problems: [], head });
    expect((await whole(['0'.repeat(64)])).problems).toEqual([
      { kind: 'head missing', message: expect.stringContaining('000') },
    ]);

    const cut = await asOwner(db, async () => {
      const newest = batches.slice(-20);
      await sql`delete from seal where id >= ${newest[0]?.seal.id}::bigint`.execute(db.q);
      await sql`delete from event where id >= ${newest[0]?.events[0]?.id}::bigint`.execute(db.q);
      return [await whole([]), await whole([older]), await whole()];
    });
    expect(cut.map(({ problems }) => problems.map(({ kind }) => kind))).toEqual([[], [], ['head missing']]);

    let link: Pick<Link, 'seal' | 'sha256'> = GENESIS;
    const anew = batches.map(({ seal, events: own }) => {
      const forged = makeSeal(
        link,
        own.map((row) => (row === events[0] ? { ...row, actor: 'mallory' } : row)),
        seal.at,
      );
      link = { seal: forged.id, sha256: forged.sha256 };
      return forged;
    });
    const forgery = { seals: anew, events: events.with(0, { ...(events[0] as EventRow), actor: 'mallory' }) };
    const verify = (heads: string[]) =>
      verifyAudit(async (seal) => (seal === null ? forgery : { seals: [], events: [] }), heads);
    expect((await verify([])).problems).toEqual([]);
    expect((await verify([head])).problems).toMatchObject([{ kind: 'head missing' }]);
  });
});

/** The events of a seal in the order of their ids, which the database tells and not the code under test. */
async function coveredEvents(db: Database, { id }: SealRow, byId: ReadonlyMap<string, EventRow>): Promise<EventRow[]> {
  const { rows } = await sql<{ id: string }>`
    select e.id::text as id from seal s join event e on e.id <@ s.covered where s.id = ${id}::bigint order by e.id`.execute(
    db.q,
  );
  return rows.flatMap((row) => byId.get(row.id) ?? []);
}

class RollBack extends Error {}

/** Does what the owner of the database can do: no triggers, no foreign keys, any right. All of it is rolled back. */
async function asOwner<T>(db: Database, run: () => Promise<T>): Promise<T> {
  let result: T | undefined;
  await db
    .transaction(async () => {
      await sql`set local role none`.execute(db.q);
      await sql`set local session_replication_role = replica`.execute(db.q);
      result = await run();
      throw new RollBack();
    })
    .catch((error: unknown) => {
      if (!(error instanceof RollBack)) throw error;
    });
  return result as T;
}
