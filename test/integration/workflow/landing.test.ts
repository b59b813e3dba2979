/** What a worker writes while others are at the same incident, and while the database is away. */
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';
import { type Database, openPostgres } from '../../../src/database/index.ts';
import { messageOf } from '../../../src/errors.ts';
import {
  createJournal,
  type Incident,
  loadIncident,
  moveIncident,
  type Outcome,
  openIncident,
  type Work,
} from '../../../src/incident/index.ts';
import { createDriver, type Driver, type Queue, startQueue } from '../../../src/remediation/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { allEvents } from '../support/events.ts';

const log = createLogger('silent');
/** Whoever has the openings locked; see src/incident/store.ts. */
const LOCK_OPENINGS = 'select pg_advisory_xact_lock(4815162342)';

describe.each(databases.filter(({ name }) => name === 'postgres'))('on $name', () => {
  let served: { url: string; drop: () => Promise<void> };
  let db: Database;
  let queue: Queue;
  let driver: Driver | undefined;
  /** Somebody else on the same database: one who begins transactions, and one who looks. */
  let other: pg.Client;
  let looking: pg.Client;
  beforeAll(async () => {
    served = await throwawayDatabaseUrl();
    db = await openPostgres(served.url);
    queue = await startQueue(db, log);
  });
  afterAll(async () => {
    await queue?.stop();
    await db?.close();
    await served?.drop();
  });
  beforeEach(async () => {
    [other, looking] = [new pg.Client(served.url), new pg.Client(served.url)];
    for (const one of [other, looking]) await one.connect();
  });
  afterEach(async () => {
    for (const one of [other, looking]) await one.end();
    await driver?.stop();
    driver = undefined;
  });

  const newIncident = () =>
    openIncident(db, {
      ...{ state: 'received', correlationKey: `${Math.random()}`, title: 't', severity: 'critical', labels: {} },
      ...{ context: { v: 1 }, because: 'a test', actor: 'nightshift' },
    });
  /** Opens an incident and has it worked on, by a stage that is the same in whatever state it is. */
  async function workOn(stage: (work: Work) => Promise<Outcome>): Promise<number> {
    const stages = new Proxy({}, { get: () => stage }) as Parameters<typeof createDriver>[0]['stages'];
    const config = parseConfig({
      ...{ env: {}, directory: '/', toolsetSettings: {}, readFile: () => null },
      file: { path: 'nightshift.yaml', text: '{}' },
    });
    const metrics = createMetrics();
    const started = createDriver({
      ...{ db, queue, stages, concurrency: 1, config, metrics, log, failpoint: () => {} },
    });
    driver = started;
    const id = await db.transaction(async () => {
      const opened = await newIncident();
      await started.wake([opened]);
      return opened;
    });
    await started.start();
    return id;
  }
  const stateOf = async (id: number) => (await loadIncident(db, id)).state;
  const waitingFor = async (kind: string) => {
    const { rows } = await looking.query<{ pid: number }>(
      'select pid from pg_locks where not granted and locktype = any($1)',
      [kind === 'row' ? ['transactionid', 'tuple'] : [kind]],
    );
    return rows.map(({ pid }) => pid);
  };

  it('writes the row of an incident alone, and no entry in an index of it, with every move but the last', async () => {
    let incident = await loadIncident(db, await newIncident());
    await db.transaction(async () => {
      const written = async () => {
        const { rows } = await sql<{ all: number; alone: number }>`
          select n_tup_upd::int as all, n_tup_hot_upd::int as alone from pg_stat_xact_user_tables where relname = 'incident'`.execute(
          db.q,
        );
        return rows[0];
      };
      for (const state of ['triaged', 'investigated', 'resolved'] as const) {
        const { context } = incident;
        const how = { provided: sql`true`, unlessWoken: true, events: [], messages: [], heard: [], leaves: false };
        incident = (await moveIncident(db, incident, { state, context, ...how })) as Incident;
        expect(await written()).toEqual(
          { triaged: { all: 1, alone: 1 }, investigated: { all: 2, alone: 2 }, resolved: { all: 3, alone: 2 } }[state],
        );
      }
    });
  });

  it('lands what a stage has found out though its session ends in the middle, and runs the stage once', async () => {
    const toPerson: Outcome = { state: 'escalated', wait: { until: null } };
    let runs = 0;
    const id = await workOn(async ({ incident }) => {
      if (incident.state === 'escalated') return toPerson;
      runs += 1;
      await other.query('begin');
      await other.query('select 1 from incident where id = $1 for update', [incident.id]);
      return toPerson;
    });
    await expect.poll(() => waitingFor('row'), { timeout: 10_000 }).toHaveLength(1);
    const [pid] = await waitingFor('row');
    await looking.query('select pg_terminate_backend($1)', [pid]);
    await expect.poll(() => waitingFor('row'), { timeout: 10_000 }).not.toEqual([pid]);
    await other.query('commit');
    await expect.poll(() => stateOf(id), { timeout: 20_000 }).toBe('escalated');
    expect(runs).toBe(1);
    const types = (await allEvents(db)).filter(({ incidentId }) => incidentId === id).map(({ type }) => type);
    expect(types).toEqual(['incident.opened', 'incident.escalated']);
  });

  it('closes nothing while somebody decides what belongs together', async () => {
    await other.query(`begin; ${LOCK_OPENINGS}`);
    const id = await workOn(async () => ({ state: 'stopped' }));
    await expect.poll(() => waitingFor('advisory'), { timeout: 10_000 }).toHaveLength(1);
    expect(await stateOf(id)).toBe('received');
    await other.query('commit');
    await expect.poll(() => stateOf(id), { timeout: 20_000 }).toBe('stopped');
  });

  it.each([
    ['nobody came in between', '', true],
    ['something was said to it', 'wake_seq = wake_seq + 1', false],
    ['another has moved it', 'version = version + 1', 'fenced'],
  ] as const)('tells right before an effect whether %s', async (_what, change, expected) => {
    const told: unknown[] = [];
    const id = await workOn(async (work) => {
      if (told.length === 0) {
        if (change !== '') await looking.query(`update incident set ${change} where id = $1`, [work.incident.id]);
        await db.transaction(async () => {
          told.push(await work.assertHeld().catch(() => 'fenced'));
          // Nobody moves it from here on until the effect is written down.
          await other.query(`set lock_timeout = '100ms'`);
          const move = other.query('update incident set version = version + 1 where id = $1', [work.incident.id]);
          told.push(await move.then(() => 'moved', messageOf));
        });
      }
      return { state: 'stopped' };
    });
    await expect.poll(() => stateOf(id), { timeout: 20_000 }).toBe('stopped');
    expect(told).toEqual([expected, expect.stringContaining('lock timeout')]);
  });

  it('has one answer in the journal, for those who read it before as well as after', async () => {
    const incident: Incident = await loadIncident(db, await newIncident());
    const [lost, holder] = [createJournal(db, incident), createJournal(db, incident)];
    // It has read what there was before.
    expect(await lost('first', async () => 'a')).toBe('a');
    expect(await holder('second', async () => 'of the holder')).toBe('of the holder');
    expect(await lost('second', async () => 'of one that has lost it')).toBe('of the holder');
    expect(await lost('second', () => Promise.reject(new Error('asked again')))).toBe('of the holder');
    const { rows } = await sql<{ result: string }>`
      select result from journal where incident_id = ${incident.id} order by key`.execute(db.q);
    expect(rows.map(({ result }) => result)).toEqual(['a', 'of the holder']);
  });
});
