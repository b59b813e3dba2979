/** What is done first when more comes than can be done, and what becomes of the rest. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';
import { type Database, openPostgres } from '../../../src/database/index.ts';
import { examineDatabase } from '../../../src/doctor/index.ts';
import { createKillSwitch } from '../../../src/gate/index.ts';
import { addSignal, loadIncident, type Outcome, openIncidents, type State } from '../../../src/incident/index.ts';
import { createCatalogue } from '../../../src/mcp-tools/index.ts';
import {
  createDriver,
  createPeople,
  createPressure,
  type Driver,
  type Queue,
  startQueue,
} from '../../../src/remediation/index.ts';
import { createAwaitPerson } from '../../../src/remediation/waiting.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { anyDatabase, databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { allEvents } from '../support/events.ts';
import { deliveryOf, testIntake } from '../support/intake.ts';

const log = createLogger('silent');
const config = (limits: object = {}) =>
  parseConfig({
    env: {},
    directory: '/',
    toolsetSettings: {},
    file: { path: 'nightshift.yaml', text: JSON.stringify({ limits }) },
    readFile: () => null,
  });

type Stages = Parameters<typeof createDriver>[0]['stages'];

/** Whatever is begun is written down and goes to a person; one takes as long as `hold` says. */
function recordingStages(db: Database, begun: number[], hold: () => Promise<void> = async () => {}): Stages {
  const toPerson: Outcome = { state: 'escalated', wait: { until: null } };
  const stages: Partial<Record<State, Stages['received']>> = {
    received: async ({ incident }) => {
      begun.push(incident.id);
      await hold();
      return toPerson;
    },
    escalated: createAwaitPerson({ db, quietSeconds: 0 }),
    verifying: async () => ({ state: 'resolved' }),
    resolved: async ({ signals }) => ({ state: 'resolved', heard: signals }),
  };
  return stages as Stages;
}

describe.each(databases)('the queue on $name', ({ open }) => {
  let db: Database;
  let queue: Queue;
  const metrics = createMetrics();
  const driverOf = (stages: Stages, limits: object = {}, concurrency = 1): Driver =>
    createDriver({ db, queue, stages, concurrency, config: config(limits), metrics, log, failpoint: () => {} });
  const pressureOf = (limit: number) => createPressure({ db, queue, limit, metrics, log });
  beforeAll(async () => {
    db = await open();
    queue = await startQueue(db, log);
  });
  afterAll(async () => {
    await queue.stop();
    await db.close();
  });
  beforeEach(async () => {
    await sql`delete from pgboss.job`.execute(db.q);
    await sql`delete from signal`.execute(db.q);
    await sql`delete from outbox`.execute(db.q);
    await sql`update incident set state = 'stopped', closed_at = clock_timestamp(), job_id = null, shed_at = null`.execute(
      db.q,
    );
  });

  let key = 0;
  async function opened(count: number, labels: Record<string, string>, driver: Driver): Promise<number[]> {
    return db.transaction(async () => {
      const ids = await openIncidents(
        db,
        Array.from({ length: count }, () => ({
          state: 'received' as const,
          correlationKey: `k${key++}`,
          title: `Slow (${labels.team})`,
          severity: labels.severity ?? 'unknown',
          labels,
          context: { v: 1 as const },
          because: 'a test',
          actor: 'nightshift',
        })),
      );
      // It lies behind the others now, and is the first all the same.
      await sql`update incident set title = title where id = ${ids[0]}`.execute(db.q);
      await driver.wake(ids);
      return ids;
    });
  }

  it('lets a team with 500 incidents hold up nobody else’s one, and a worse one pass them all', async () => {
    const begun: number[] = [];
    const driver = driverOf(recordingStages(db, begun, () => sleep(1)));
    const first = await opened(500, { team: 'a', severity: 'warning' }, driver);
    const [other] = await opened(1, { team: 'b', severity: 'warning' }, driver);
    const [worse] = await opened(1, { team: 'a', severity: 'critical' }, driver);
    const [lesser] = await opened(1, { team: 'c', severity: 'info' }, driver);
    const later = await opened(10, { team: 'a', severity: 'warning' }, driver);
    await driver.start();
    await expect.poll(() => begun.length, { timeout: 50_000 }).toBeGreaterThan(20);
    await driver.stop();
    expect(begun[0]).toBe(worse);
    expect(begun.indexOf(other as number)).toBeLessThan(4);
    expect(begun).not.toContain(lesser);
    const of = begun.filter((id) => first.includes(id) || later.includes(id));
    expect(of).toEqual(of.toSorted((a, b) => a - b));
  });

  it('goes on with what has begun first, and takes what a person speaks to before what alerts speak to', async () => {
    const driver = driverOf(recordingStages(db, []));
    const ids = await opened(5, { team: 'a', severity: 'critical' }, driver);
    const [low, info] = [...(await opened(2, { team: 'a', severity: 'info' }, driver))];
    await sql`update incident set version = 1, state = 'escalated' where id = ${info}`.execute(db.q);
    await db.transaction(() => driver.wake([ids[3] as number]));
    await db.transaction(() => driver.wake([low as number], 'person'));
    for (const next of [low, ids[0], ids[1]]) {
      const [lease] = await queue.take(1);
      expect(lease?.incidentId).toBe(next);
    }
    // Nobody has begun it, so what has waits for its person, and when that one speaks it is the next.
    await db.transaction(() => driver.wake([info as number], 'person'));
    expect((await queue.take(1)).map(({ incidentId }) => incidentId)).toEqual([info]);
  });

  it('finds the next without sorting, and asks as often for one delivery as for hundreds', async () => {
    const statements: string[] = [];
    // Not those by which pg-boss looks after itself.
    const ofJobs = () => statements.splice(0).filter((text) => /json_to_recordset|with o as/i.test(text));
    const execute = db.executeSql.bind(db);
    db.executeSql = (text, values) => {
      statements.push(text);
      return execute(text, values);
    };
    try {
      const driver = driverOf(recordingStages(db, []));
      await opened(1, { team: 'a', severity: 'warning' }, driver);
      expect(ofJobs()).toHaveLength(1);
      const many = await opened(300, { team: 'b', severity: 'warning' }, driver);
      expect(ofJobs()).toHaveLength(1);
      // More of the same alerts: they wait already, and nobody has looked at them.
      await db.transaction(() => driver.wake(many));
      expect(ofJobs()).toEqual([]);
      await queue.take(1);
    } finally {
      db.executeSql = execute;
    }
    const fetch = statements.findLast((text) => /skip locked/i.test(text)) as string;
    await sql`
      insert into pgboss.job (name, data, priority, start_after, policy)
      select 'advance-incident', '{}', -n, now() + case when n % 2 = 0 then interval '1 day' else interval '0' end, 'standard'
      from generate_series(1, 20000) n`.execute(db.q);
    await sql`analyze pgboss.job`.execute(db.q);
    const { rows } = await db.executeSql(`explain ${fetch}`);
    const plan = rows.map((row) => (row as { 'QUERY PLAN': string })['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index Scan using \w*(i11|priority)\w*/);
    expect(plan).not.toMatch(/Sort/);
  });

  it('hands the least severe to people at once where too many wait, and none that is page-worthy', async () => {
    const driver = driverOf(recordingStages(db, []));
    const critical = await opened(4, { team: 'a', severity: 'critical' }, driver);
    const warning = await opened(4, { team: 'a', severity: 'warning' }, driver);
    const info = await opened(2, { team: 'b', severity: 'info' }, driver);
    const shed = await pressureOf(6).look();
    expect(shed).toBe(4);
    const states = new Map<number, string>();
    for (const id of [...critical, ...warning, ...info]) states.set(id, (await loadIncident(db, id)).state);
    expect(critical.map((id) => states.get(id))).toEqual(Array(4).fill('received'));
    expect(info.map((id) => states.get(id))).toEqual(['escalated', 'escalated']);
    // Of equal ones, those that would have come last.
    expect(warning.map((id) => states.get(id))).toEqual(['received', 'received', 'escalated', 'escalated']);
    const { context, version } = await loadIncident(db, info[0] as number);
    expect(version).toBe(1);
    expect(context.escalation).toMatchObject({
      shed: true,
      reason: expect.stringMatching(/^Nightshift is overloaded: 10 incidents wait, .* least severe \(info\)/),
    });
    const events = (await allEvents(db)).filter(({ incidentId }) => incidentId === info[0]).map(({ type }) => type);
    expect(events).toEqual(['incident.opened', 'incident.shed', 'incident.escalated']);
    expect(await metrics.registry.metrics()).toMatch(/nightshift_incidents_shed_total\{severity="info"\} [1-9]/);
    expect(await pressureOf(6).look()).toBe(0);
    expect(await pressureOf(6).state()).toMatchObject({
      limit: 6,
      shedLastHour: 4,
      waiting: [
        { kind: 'info', waiting: 0 },
        { kind: 'warning', waiting: 2 },
        { kind: 'error', waiting: 0 },
        { kind: 'critical', waiting: 4 },
        { kind: 'begun', waiting: 0 },
      ],
    });
    const findings = await examineDatabase(db, { killSwitchFile: '/nowhere/at/all' });
    expect(findings.find(({ check }) => check === 'overload')).toMatchObject({
      status: 'warn',
      what: expect.stringMatching(/^4 incident\(s\) of the last hour went to people undiagnosed/),
    });
  });

  it('hands page-worthy ones over only where nothing lesser waits, and then says what they are', async () => {
    const driver = driverOf(recordingStages(db, []));
    await opened(2, { team: 'a', severity: 'warning' }, driver);
    const unknown = await opened(3, { team: 'a' }, driver);
    const critical = await opened(3, { team: 'a', severity: 'critical' }, driver);
    // The two warnings go first, and alone; the rest at the next look.
    expect(await pressureOf(2).look()).toBe(2);
    expect(await pressureOf(2).look()).toBe(4);
    const stateOf = async (id: number) => (await loadIncident(db, id)).state;
    for (const id of unknown) expect(await stateOf(id)).toBe('escalated');
    expect(await stateOf(critical[0] as number)).toBe('received');
    expect(await stateOf(critical[2] as number)).toBe('escalated');
  });

  it('hands over nothing that was begun, taken, spoken to, asked for, folded, or under which others are', async () => {
    const driver = driverOf(recordingStages(db, []));
    const [taken, spoken, child, parent, asked] = await opened(5, { team: 'a', severity: 'info' }, driver);
    await sql`update incident set parent_id = ${parent} where id = ${child}`.execute(db.q);
    await addSignal(db, spoken as number, 'resolved', 'test');
    await db.transaction(() => driver.wake([asked as number], 'person'));
    for (const next of [asked, taken]) expect((await queue.take(1))[0]?.incidentId).toBe(next);
    expect(await pressureOf(1).look()).toBe(0);
    const { rows } = await sql<{
      n: number;
    }>`select count(*)::int as n from incident where state = 'escalated'`.execute(db.q);
    expect(rows[0]?.n).toBe(0);
  });

  it('tells people once for all, no more than once a minute, and when it is over', async () => {
    const driver = driverOf(recordingStages(db, []));
    await opened(30, { team: 'a', severity: 'warning' }, driver);
    await opened(1, { team: 'b', severity: 'critical' }, driver);
    const pressure = pressureOf(1);
    expect(await pressure.look()).toBe(30);
    await opened(3, { team: 'a', severity: 'info' }, driver);
    expect(await pressure.look()).toBe(3);
    const messages = async () =>
      (await db.q.selectFrom('outbox').selectAll().orderBy('id').execute()).map(({ incident_id, kind, message }) => ({
        incident: incident_id,
        kind,
        text: (message as { text: string }).text,
      }));
    expect(await messages()).toEqual([
      {
        incident: null,
        kind: 'overloaded',
        text: expect.stringMatching(
          /^Nightshift is overloaded: .*the 30 least severe are yours.*Slow \(a\) \(warning\).* and 25 more\./,
        ),
      },
    ]);
    await sql`update outbox set created_at = created_at - interval '61 seconds'`.execute(db.q);
    await sql`update incident set shed_at = shed_at - interval '61 seconds' where severity = 'warning'`.execute(db.q);
    expect(await pressure.look()).toBe(0);
    expect((await messages())[1]?.text).toMatch(/the 3 least severe are yours/);
    await sql`update outbox set created_at = created_at - interval '2 minutes'`.execute(db.q);
    await sql`update incident set shed_at = shed_at - interval '2 minutes'`.execute(db.q);
    await pressure.look();
    expect(await messages()).toHaveLength(2);
    await sql`update outbox set created_at = created_at - interval '10 minutes'`.execute(db.q);
    await sql`update incident set shed_at = shed_at - interval '10 minutes'`.execute(db.q);
    await pressure.look();
    await pressure.look();
    expect((await messages()).slice(2)).toMatchObject([{ kind: 'overload_over' }]);
  });

  it('hands nothing over without telling people in the same breath', async () => {
    const asOwner = (...statements: string[]) =>
      db.transaction(async () => {
        for (const one of ['set local role none', ...statements]) await sql.raw(one).execute(db.q);
      });
    const driver = driverOf(recordingStages(db, []));
    const [id] = await opened(2, { team: 'a', severity: 'info' }, driver);
    await asOwner(
      `create function refuse() returns trigger language plpgsql as 'begin raise ''no message''; end'`,
      'create trigger refuse before insert on outbox execute function refuse()',
    );
    await expect(pressureOf(0).look()).rejects.toThrow('no message');
    expect(await loadIncident(db, id as number)).toMatchObject({ state: 'received', version: 0 });
    await asOwner('drop function refuse cascade');
    expect(await pressureOf(0).look()).toBe(2);
    expect(await db.q.selectFrom('outbox').select('kind').execute()).toEqual([{ kind: 'overloaded' }]);
  });

  it('loses nothing of it: what resolves is closed, and what a person asks for is begun after all', async () => {
    const begun: number[] = [];
    const driver = driverOf(recordingStages(db, begun));
    const intake = testIntake(db, { wake: (ids) => driver.wake(ids) });
    const labels = (service: string) => ({ alertname: 'x', service, severity: 'info' });
    const firing = ['one', 'two'].map((service) => ({ fingerprint: `shed-${service}`, labels: labels(service) }));
    const [one, two] = (await intake.accept(deliveryOf(firing))).opened as [number, number];
    await opened(1, { severity: 'critical' }, driver);
    expect(await pressureOf(1).look()).toBe(2);
    await intake.accept(deliveryOf([{ ...(firing[0] as object), status: 'resolved', endsAt: new Date() }]));
    const people = createPeople({
      db,
      driver,
      catalogue: createCatalogue({}, {}),
      identity: { mayDecide: () => true },
      killSwitch: createKillSwitch({ db, file: join(tmpdir(), 'stop'), identity: { deciders: async () => [] } }),
    });
    await people.say(two, 'ask_again', 'ada');
    await driver.start();
    await expect.poll(async () => (await loadIncident(db, one)).state, { timeout: 20_000 }).toBe('resolved');
    await expect.poll(() => begun, { timeout: 20_000 }).toContain(two);
    await driver.stop();
    const told = (await allEvents(db)).filter(({ incidentId }) => incidentId === two);
    expect(told.map(({ type }) => type)).toContain('incident.taken_up');
    expect(told.map(({ type }) => type)).not.toContain('incident.reopened');
    expect(begun).not.toContain(one);
  });
});

describe.each(databases.filter(({ name }) => name === 'postgres'))('several replicas on $name', () => {
  it('hand over one at a time, beside workers and senders, and each once', async () => {
    const metrics = createMetrics();
    const { url, drop } = await throwawayDatabaseUrl();
    const replicas = await Promise.all(
      [openPostgres(url), openPostgres(url), openPostgres(url)].map((one, n) => sleep(n * 1500).then(() => one)),
    );
    const queues: Queue[] = [];
    for (const one of replicas) queues.push(await startQueue(one, log));
    try {
      const begun: number[] = [];
      const drivers = replicas.map((one, n) =>
        createDriver({
          ...{ db: one, queue: queues[n] as Queue, concurrency: 2, config: config(), metrics, log },
          stages: recordingStages(one, begun, () => sleep(5)),
          failpoint: () => {},
        }),
      );
      const [first] = drivers as [Driver];
      const pressures = replicas.map((one, n) =>
        createPressure({ db: one, queue: queues[n] as Queue, limit: 20, metrics, log }),
      );
      const intakes = replicas.map((one, n) =>
        testIntake(one, {
          wake: (ids) => (drivers[n] ?? first).wake(ids),
          correlation: { storm: { incidents: 10_000, withinSeconds: 1 } },
        }),
      );
      for (const driver of drivers) await driver.start();
      const deliver = async (n: number) => {
        for (let round = 0; round < 10; round += 1) {
          const alerts = Array.from({ length: 30 }, (_, at) => ({
            fingerprint: `r${n}-${round}-${at}`,
            labels: { alertname: 'x', service: `s${n}-${round}-${at}`, severity: at % 3 === 0 ? 'critical' : 'info' },
          }));
          await intakes[n]?.accept(deliveryOf(alerts));
          await Promise.all(pressures.map((one) => one.look()));
        }
      };
      await Promise.all(replicas.map((_, n) => deliver(n)));
      const [one] = replicas as [Database];
      const open = async () =>
        (await one.q.selectFrom('incident').select('id').where('state', '=', 'received').execute()).length;
      await expect.poll(open, { timeout: 50_000 }).toBe(0);
      for (const driver of drivers) await driver.stop();
      const events = await allEvents(one);
      const shed = events.filter(({ type }) => type === 'incident.shed').map(({ incidentId }) => incidentId);
      expect(shed.length).toBeGreaterThan(100);
      expect(new Set(shed).size).toBe(shed.length);
      expect(new Set([...shed, ...begun]).size).toBe(900);
      expect(shed.length + begun.length).toBe(900);
      const both = begun.filter((id) => shed.includes(id));
      // A worker that had one in its hands keeps it.
      expect(both).toEqual([]);
      // All of it took less than a minute.
      const told = await one.q.selectFrom('outbox').select('id').where('kind', '=', 'overloaded').execute();
      expect(told).toHaveLength(1);
      const escalated = events.filter(({ type }) => type === 'incident.escalated');
      expect(escalated).toHaveLength(900);
    } finally {
      for (const one of queues) await one.stop();
      for (const one of replicas) await one.close();
      await drop();
    }
  });

  it('leave it to the one that is at it, and leave what a worker takes at that moment to the worker', async () => {
    const { url, drop } = await throwawayDatabaseUrl();
    const one = await openPostgres(url);
    const other = await openPostgres(url);
    const queue = await startQueue(one, log);
    const worker = await startQueue(other, log);
    try {
      const metrics = createMetrics();
      const stages = recordingStages(one, []);
      const driver = createDriver({
        ...{ db: one, queue, stages, concurrency: 1, config: config(), metrics, log, failpoint: () => {} },
      });
      const pressure = createPressure({ db: one, queue, limit: 1, metrics, log });
      const intake = testIntake(one, { wake: (ids) => driver.wake(ids) });
      await intake.accept(deliveryOf(['a', 'b'].map((service) => ({ fingerprint: service, labels: { service } }))));
      await other.transaction(async () => {
        await sql`select pg_advisory_xact_lock(hashtextextended('nightshift pressure', 0))`.execute(other.q);
        expect(await pressure.look()).toBe(0);
      });
      let looked: Promise<number> | undefined;
      await other.transaction(async () => {
        expect(await worker.take(2)).toHaveLength(2);
        looked = pressure.look();
        const waits = async () => {
          const { rows } = await sql<{ n: number }>`
            select count(*)::int as n from pg_locks join pg_stat_activity using (pid)
            where datname = current_database() and not granted`.execute(one.q);
          return rows[0]?.n;
        };
        await expect.poll(waits, { timeout: 4000 }).toBe(1);
      });
      expect(await looked).toBe(0);
      const { rows } = await sql<{ state: string }>`select distinct state from incident`.execute(one.q);
      expect(rows).toEqual([{ state: 'received' }]);
    } finally {
      for (const each of [queue, worker]) await each.stop();
      for (const db of [one, other]) await db.close();
      await drop();
    }
  });
});

it.each(anyDatabase)('a queue that cannot be started on $name asks for nothing any more', async ({ open }) => {
  const db = await open();
  try {
    await (await startQueue(db, log)).stop();
    await db.transaction(async () => {
      await sql`set local role none`.execute(db.q);
      await sql`alter function pgboss.create_queue rename to create_nothing`.execute(db.q);
    });
    let asked = 0;
    const execute = db.executeSql.bind(db);
    db.executeSql = (text, values) => {
      asked += 1;
      return execute(text, values);
    };
    await expect(startQueue(db, log)).rejects.toThrow(/create_queue/);
    const before = asked;
    expect(before).toBeGreaterThan(0);
    // It looks after itself every two seconds.
    await sleep(5000);
    expect(asked).toBe(before);
  } finally {
    await db.close();
  }
});
