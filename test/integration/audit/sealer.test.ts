import { join } from 'node:path';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSealer, readHeads, readPage, type Sealer, verifyAudit } from '../../../src/audit/index.ts';
import { type Database, openPostgres } from '../../../src/database/index.ts';
import { addEvents } from '../../../src/incident/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { eventually, scratchDirectory } from '../../real-parts/program.ts';

let directory: ReturnType<typeof scratchDirectory>;
let log: Record<string, unknown>[];
beforeEach(() => {
  directory = scratchDirectory();
  log = [];
});
afterEach(() => directory.remove());

const headFile = (name = 'audit.head') => join(directory.path, name);
const sealerOf = (db: Database, name?: string): Sealer =>
  createSealer({
    db,
    log: createLogger('info', { write: (line) => void log.push(JSON.parse(line) as Record<string, unknown>) }),
    headFile: headFile(name),
  });
const add = (db: Database, ...types: string[]) =>
  addEvents(
    db,
    null,
    types.map((type) => ({ type, actor: 'test', data: {} })),
  );
const verify = (db: Database) => verifyAudit((seal) => readPage(db, seal), readHeads(headFile()));
const covered = async (db: Database) =>
  (await sql<{ covered: string }>`select covered::text as covered from seal order by seal.id`.execute(db.q)).rows.map(
    (row) => row.covered,
  );
const asOwner = (db: Database, ...statements: string[]) =>
  db.transaction(async () => {
    for (const statement of ['set local role none', 'set local session_replication_role = replica', ...statements])
      await sql.raw(statement).execute(db.q);
  });

describe.each(databases)('the sealer on $name', ({ open }) => {
  let db: Database;
  beforeAll(async () => {
    db = await open();
  });
  beforeEach(() => asOwner(db, 'truncate event, seal restart identity'));
  afterAll(() => db.close());

  it('seals what is new every second, and the rest when it stops; each head is in the log and in the file', async () => {
    const sealer = sealerOf(db);
    sealer.start();
    await add(db, 'one', 'two');
    await eventually('a seal', async () => ((await covered(db)).length > 0 ? true : undefined));
    await add(db, 'three');
    await sealer.stop();
    expect(await verify(db)).toMatchObject({ problems: [], events: 3, unsealed: 0 });
    const heads = log.filter(({ message }) => message === 'audit sealed').map(({ head }) => head);
    expect(readHeads(headFile())).toEqual([heads.at(-1)]);
    expect((await verify(db)).head).toBe(heads.at(-1));
    await add(db, 'four');
    await sealerOf(db).sealNow();
    expect(await verify(db)).toMatchObject({ problems: [], events: 4, late: [] });
  });

  it('seals a backlog in the order of the ids, a thousand at a time, and writes nothing where nothing is new', async () => {
    await sql`insert into event (type, actor, data) select 'old', 'test', '{}' from generate_series(1, 2500)`.execute(
      db.q,
    );
    const sealer = sealerOf(db);
    expect(await sealer.sealNow()).toBe(2500);
    expect(await sealer.sealNow()).toBe(0);
    expect(await covered(db)).toEqual(['{[1,1001)}', '{[1001,2001)}', '{[2001,2501)}']);
    expect(await verify(db)).toMatchObject({ problems: [], events: 2500, seals: 3, late: [] });
  });

  it('seals events whatever their ids are, below the first and far above the last', async () => {
    const sealer = sealerOf(db);
    await add(db, 'one');
    await sealer.sealNow();
    const insert = (id: string, at: string) =>
      `insert into event (id, at, type, actor, data) overriding system value values (${id}, ${at}, 'odd', 'test', '{}')`;
    await asOwner(db, insert('-5', 'clock_timestamp()'), insert('9223372036854775806', 'clock_timestamp()'));
    await asOwner(db, insert('0', `clock_timestamp() - interval '1 hour'`));
    await sealer.sealNow();
    await add(db, 'two');
    await sealer.sealNow();
    expect(await covered(db)).toEqual([
      '{[1,2)}',
      '{[-5,-4),[0,1),[9223372036854775806,9223372036854775807)}',
      '{[2,3)}',
    ]);
    // Added by hand and dated back: it is sealed, and it stands out.
    expect(await verify(db)).toMatchObject({ problems: [], events: 5, late: ['0'], unsealed: 0 });
    await asOwner(db, 'update seal set id = -id');
    expect((await verify(db)).problems.map(({ kind }) => kind)).toContain('chain broken');
  });

  it('goes on after the newest seals were cut off, and does not let it be forgotten', async () => {
    const sealer = sealerOf(db);
    for (const type of ['one', 'two', 'three']) {
      await add(db, type);
      await sealer.sealNow();
    }
    const [lost = ''] = readHeads(headFile());
    await asOwner(db, 'delete from seal where id >= 2', 'delete from event where id >= 3');
    await add(db, 'four');
    await sealer.sealNow();
    expect(log.filter(({ level }) => level === 'error')).toMatchObject([{ heads: [lost] }]);
    const { head, unsealed } = await verify(db);
    expect({ heads: readHeads(headFile()), unsealed }).toEqual({ heads: [lost, head], unsealed: 0 });

    // Neither a new start nor new seals make it good.
    const next = sealerOf(db);
    await add(db, 'five');
    await next.stop();
    const report = await verify(db);
    expect(report).toMatchObject({ events: 4, unsealed: 0, problems: [{ kind: 'head missing' }] });
    expect(readHeads(headFile())).toEqual([lost, report.head]);
    expect(log.filter(({ level }) => level === 'error')).toHaveLength(2);
  });

  it('takes no other harm from a database that fails: it says so and goes on', async () => {
    const sealer = sealerOf(db);
    await asOwner(db, 'alter table seal rename to hidden');
    await add(db, 'one');
    sealer.start();
    await eventually('the failure', async () => log.find(({ message }) => message === 'cannot seal the audit'));
    await asOwner(db, 'alter table hidden rename to seal');
    await eventually('a seal', async () => ((await covered(db)).length > 0 ? true : undefined));
    await sealer.stop();
  });
});

describe.runIf(databases.length > 1)('several sessions on one Postgres', () => {
  let url: string;
  let drop: () => Promise<void>;
  let db: Database;
  beforeEach(async () => {
    ({ url, drop } = await throwawayDatabaseUrl());
    db = await openPostgres(url);
  });
  afterEach(async () => {
    await db.close();
    await drop();
  });

  it('an event that commits after higher ids were sealed is in the next seal, and nobody waited for it', async () => {
    const slow = new pg.Client({ connectionString: url });
    await slow.connect();
    const sealer = sealerOf(db);
    await add(db, 'first');
    await slow.query('begin');
    await slow.query(`insert into event (type, actor, data) values ('slow', 'test', '{}')`);
    await add(db, 'fast', 'fast');
    await sealer.sealNow();
    await add(db, 'fast');
    await sealer.sealNow();
    await slow.query('commit');
    await slow.end();
    await sealer.stop();
    expect(await covered(db)).toEqual(['{[1,2),[3,5)}', '{[5,6)}', '{[2,3)}']);
    expect(await verify(db)).toMatchObject({ problems: [], events: 5, unsealed: 0 });
  });

  it('replicas that seal at once make one chain in which every event is once', async () => {
    const other = await openPostgres(url);
    const sealers = [sealerOf(db), sealerOf(other, 'other.head'), sealerOf(other, 'third.head')];
    let writing = true;
    const seal = async (sealer: Sealer) => {
      while (writing) await sealer.sealNow();
    };
    const sealing = sealers.map(seal);
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let index = 0; index < 40; index += 1)
          await db
            .transaction(async () => {
              await add(db, `w${writer}`, `w${writer}`);
              if (index % 5 === 0) throw new Error('rolled back');
            })
            .catch(() => {});
      }),
    );
    writing = false;
    await Promise.all(sealing);
    for (const sealer of sealers) await sealer.stop();
    const report = await verify(db);
    expect(report).toMatchObject({ problems: [], events: 8 * 32 * 2, unsealed: 0 });
    const { rows } = await sql<{ n: number }>`select sum(octet_length(event_sha256) / 32)::int as n from seal`.execute(
      db.q,
    );
    expect(rows).toEqual([{ n: report.events }]);
    // Each replica's own head is one of the chain's, be it an older one.
    const heads = ['audit.head', 'other.head', 'third.head'].flatMap((name) => readHeads(headFile(name)));
    expect(heads).toHaveLength(3);
    expect((await verifyAudit((after) => readPage(db, after), heads)).problems).toEqual([]);
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
    await other.close();
  });
});
