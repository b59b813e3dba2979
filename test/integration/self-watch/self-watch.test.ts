/** What Nightshift measures of itself out of stored rows, what of it deviates, and what comes of that. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { selfWatchSchema } from '../../../src/config/self-watch.ts';
import { type Database, openPostgres } from '../../../src/database/index.ts';
import { createSelfWatch, newestSamples } from '../../../src/self-watch/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { allEvents } from '../support/events.ts';
import { testIntake } from '../support/intake.ts';
import { addCalls, addPast } from './stored.ts';

const log = createLogger('silent');
/** Makes the watch of one replica on a database; its queue is as deep as `depth` says. */
function watchOn(db: Database, { depth = 0, metrics = createMetrics(), enabled = true } = {}) {
  const waiting = [{ kind: 'critical' as const, waiting: depth, oldestSeconds: 0 }];
  return createSelfWatch({
    ...{ db, metrics, log, intake: testIntake(db) },
    queue: { depth: async () => waiting },
    config: selfWatchSchema.parse({ enabled }),
  });
}

/** Lets time pass for what was sampled. */
async function laterBy(db: Database, minutes = 5): Promise<void> {
  // By way of long ago, because each statement checks row by row that no key is there twice.
  await sql`update slo_sample set at = at - interval '36500 days'`.execute(db.q);
  await sql`update slo_sample set at = at + interval '36500 days' - ${minutes} * interval '1 minute'`.execute(db.q);
}

/** Waits until no five minutes end within the next seconds, so that what follows is of one round. */
async function clearOfBoundary(): Promise<void> {
  const left = 300_000 - (Date.now() % 300_000);
  if (left < 5000) await sleep(left + 100);
}

async function alertsOf(db: Database) {
  return db.q
    .selectFrom('alert')
    .select(['source', 'status', 'labels', 'annotations', 'incident_id', 'received'])
    .orderBy('id')
    .execute();
}

async function addIncident(
  db: Database,
  state: string,
  change: { closedMinutesAgo?: number; escalatedMinutesAgo?: number; parent?: number; source?: string } = {},
): Promise<number> {
  const { closedMinutesAgo, escalatedMinutesAgo, parent, source = 'alertmanager' } = change;
  const minutes = (ago: number | undefined) =>
    ago === undefined ? sql`null` : sql`clock_timestamp() - ${ago} * interval '1 minute'`;
  const escalation =
    escalatedMinutesAgo === undefined
      ? null
      : { reason: 'r', at: new Date(Date.now() - escalatedMinutesAgo * 60_000).toISOString() };
  const { rows } = await sql<{ id: number }>`
    insert into incident (state, correlation_key, title, severity, labels, trace_id, context, closed_at, parent_id)
    values (${state}, gen_random_uuid()::text, 't', 'warning', '{}', '', ${JSON.stringify({ v: 1, escalation })}::jsonb,
      ${minutes(closedMinutesAgo)}, ${parent ?? null}) returning id`.execute(db.q);
  const id = rows[0]?.id as number;
  await sql`
    insert into alert (incident_id, cycle, source, fingerprint, status, labels, annotations, starts_at)
    values (${id}, 1, ${source}, gen_random_uuid()::text, 'resolved', '{}', '{}', clock_timestamp())`.execute(db.q);
  return id;
}

describe.each(databases)('what Nightshift measures of itself on $name', ({ open }) => {
  let db: Database;
  beforeAll(async () => {
    db = await open();
  });
  afterAll(() => db.close());
  beforeEach(async () => {
    for (const table of ['slo_sample', 'model_call', 'signal', 'outbox', 'alert'])
      await sql`delete from ${sql.table(table)}`.execute(db.q);
    await sql`update incident set state = 'stopped', closed_at = clock_timestamp() - interval '1 day', context = '{"v": 1}'`.execute(
      db.q,
    );
  });
  const sampled = async () =>
    Object.fromEntries(
      (await newestSamples(db)).map(({ signal, agent, value, observations }) => [
        `${signal} ${agent}`,
        [value, observations],
      ]),
    );

  it('is p95 and failures of each role in the last hour, without what was given up', async () => {
    await addCalls(db, 19);
    await addCalls(db, 1, { ms: 21_000, outcome: 'timeout' });
    await addCalls(db, 5, { ms: 90_000, outcome: 'aborted' });
    await addCalls(db, 50, { ms: 90_000, outcome: 'failed', minutesAgo: 61 });
    await addCalls(db, 4, { role: 'triage', ms: 500 });
    expect(await watchOn(db, { depth: 3 }).look()).toBe(true);
    expect(await sampled()).toEqual({
      // The 95th of 20 is a twentieth of the way from the 19th to the last.
      'latency_p95 plan': [expect.closeTo(2, 6), 20],
      'error_ratio plan': [0.05, 20],
      'latency_p95 triage': [0.5, 4],
      'error_ratio triage': [0, 4],
      'queue_depth all': [3, null],
    });
  });

  it('is the share of incidents that ended with a person, each counted once, when it did', async () => {
    await addIncident(db, 'resolved', { closedMinutesAgo: 5 });
    await addIncident(db, 'escalated', { escalatedMinutesAgo: 5 });
    await addIncident(db, 'resolved', { closedMinutesAgo: 2, escalatedMinutesAgo: 20 });
    const parent = await addIncident(db, 'resolved', { closedMinutesAgo: 30 });
    // Ended before, with that one, on somebody's word, or not yet.
    await addIncident(db, 'resolved', { closedMinutesAgo: 2, escalatedMinutesAgo: 70 });
    await addIncident(db, 'escalated', { escalatedMinutesAgo: 61 });
    await addIncident(db, 'resolved', { closedMinutesAgo: 61 });
    await addIncident(db, 'resolved', { closedMinutesAgo: 5, parent });
    await addIncident(db, 'stopped', { closedMinutesAgo: 5 });
    await addIncident(db, 'verifying');
    await watchOn(db).look();
    expect(await sampled()).toEqual({ 'escalation_ratio all': [0.5, 4], 'queue_depth all': [0, null] });
  });

  it('leaves out what it raised about itself', async () => {
    await addIncident(db, 'resolved', { closedMinutesAgo: 5 });
    const own = await addIncident(db, 'escalated', { escalatedMinutesAgo: 5, source: 'nightshift' });
    await addCalls(db, 10, { incident: own, ms: 90_000, outcome: 'timeout' });
    await addCalls(db, 5);
    await watchOn(db).look();
    expect(await sampled()).toEqual({
      'latency_p95 plan': [1, 5],
      'error_ratio plan': [0, 5],
      'escalation_ratio all': [0, 1],
      'queue_depth all': [0, null],
    });
  });

  it('is compared with the seven days before the last hour, where enough happened', async () => {
    await addPast(db, 'latency_p95');
    await addPast(db, 'latency_p95', { low: 500, high: 500, count: 9, minutesAgo: 10 });
    await addPast(db, 'latency_p95', { low: 500, high: 500, count: 10, minutesAgo: 7 * 24 * 60 });
    await addPast(db, 'error_ratio', { low: 0, high: 0, count: 287 });
    await addPast(db, 'error_ratio', { low: 0, high: 0, count: 287, minutesAgo: 1600, observations: 4 });
    await addCalls(db, 9, { ms: 30_000, outcome: 'timeout' });
    await watchOn(db).look();
    const samples = await newestSamples(db);
    expect(samples.find(({ signal }) => signal === 'latency_p95')).toMatchObject({
      usual: { mean: expect.closeTo(8, 6), stddev: expect.closeTo(1.0017, 4) },
      deviates: true,
    });
    expect(samples.find(({ signal }) => signal === 'error_ratio')).toMatchObject({ usual: null, deviates: false });
  });

  it('becomes an alert once it deviates twice in a row, and is over once it does not twice in a row', async () => {
    const metrics = createMetrics();
    await addPast(db, 'latency_p95');
    await addPast(db, 'error_ratio', { low: 0, high: 0.01 });
    await addCalls(db, 9, { ms: 30_000 });
    const watch = watchOn(db, { metrics });
    await watch.look();
    expect(await alertsOf(db)).toEqual([]);
    await laterBy(db);
    await watch.look();
    const [first, ...others] = await alertsOf(db);
    expect(others).toEqual([]);
    expect(first).toMatchObject({
      source: 'nightshift',
      status: 'firing',
      labels: { alertname: 'NightshiftDeviates', signal: 'latency_p95', agent: 'plan', severity: 'warning' },
      annotations: {
        summary:
          'Nightshift: the p95 latency of its models (plan) is 30.0 s; in the days before it was 8.0 s on average, with a standard deviation of 1.0 s',
        value: '30',
        mean: expect.stringMatching(/^(8|7\.99|8\.00)/),
        sigma: expect.stringMatching(/^2[12]\./),
      },
      received: 1,
    });
    const incident = await db.q
      .selectFrom('incident')
      .selectAll()
      .where('id', '=', Number(first?.incident_id))
      .executeTakeFirstOrThrow();
    expect(incident).toMatchObject({ state: 'received', title: 'NightshiftDeviates', severity: 'warning' });
    expect((await allEvents(db)).filter(({ incidentId }) => incidentId === incident.id)).toMatchObject([
      { type: 'incident.opened' },
      { type: 'alert.firing', actor: 'nightshift' },
    ]);

    // It is said once, however long it lasts.
    await laterBy(db);
    await watch.look();
    expect(await alertsOf(db)).toEqual([first]);

    await sql`delete from model_call`.execute(db.q);
    await addCalls(db, 9, { ms: 8000 });
    await laterBy(db);
    await watch.look();
    expect(await alertsOf(db)).toMatchObject([{ status: 'firing' }]);
    // Nothing happens any more, so nothing deviates.
    await sql`delete from model_call`.execute(db.q);
    await laterBy(db);
    await watch.look();
    expect(await alertsOf(db)).toMatchObject([{ status: 'resolved', incident_id: incident.id }]);
    const text = await metrics.registry.metrics();
    for (const status of ['firing', 'resolved'])
      expect(text).toContain(`nightshift_alerts_total{source="nightshift",status="${status}"} 1`);
  });

  it('is over where the watching is switched off while it fires', async () => {
    await addPast(db, 'latency_p95');
    await addCalls(db, 9, { ms: 30_000 });
    const watch = watchOn(db);
    await watch.look();
    await laterBy(db);
    await watch.look();
    expect(await alertsOf(db)).toMatchObject([{ status: 'firing' }]);
    const off = watchOn(db, { enabled: false });
    off.start();
    await off.stop();
    expect(await alertsOf(db)).toMatchObject([{ status: 'resolved' }]);
  });

  it('is not heard of after a gap, until there are two rounds again', async () => {
    await addPast(db, 'latency_p95');
    await addCalls(db, 9, { ms: 30_000 });
    await watchOn(db).look();
    await laterBy(db, 20);
    await watchOn(db).look();
    expect(await alertsOf(db)).toEqual([]);
    await laterBy(db);
    await watchOn(db).look();
    expect(await alertsOf(db)).toHaveLength(1);
  });

  it('says nothing of a calm system, however unusual', async () => {
    await addPast(db, 'latency_p95', { low: 0.5, high: 0.6 });
    await addPast(db, 'queue_depth', { agent: 'all', low: 0, high: 0, observations: null });
    await addCalls(db, 9, { ms: 9000 });
    const watch = watchOn(db, { depth: 9 });
    for (let round = 0; round < 3; round += 1) {
      await watch.look();
      await laterBy(db);
    }
    expect(await alertsOf(db)).toEqual([]);
    const deep = watchOn(db, { depth: 11 });
    for (let round = 0; round < 2; round += 1) {
      await deep.look();
      await laterBy(db);
    }
    expect(await alertsOf(db)).toMatchObject([{ labels: { signal: 'queue_depth', agent: 'all' } }]);
  });

  it('is measured once in five minutes', async () => {
    const watch = watchOn(db);
    await clearOfBoundary();
    expect(await watch.look()).toBe(true);
    expect(await watch.look()).toBe(false);
    await laterBy(db);
    expect(await watch.look()).toBe(true);
    const { rows } = await sql<{ n: number }>`select count(distinct at)::int as n from slo_sample`.execute(db.q);
    expect(rows).toEqual([{ n: 2 }]);
  });

  it('is said again where the alert did not come in', async () => {
    await addPast(db, 'latency_p95');
    await addCalls(db, 9, { ms: 30_000 });
    await watchOn(db).look();
    await laterBy(db);
    const lost = createSelfWatch({
      ...{ db, log, metrics: createMetrics(), config: selfWatchSchema.parse({}) },
      queue: { depth: async () => [] },
      intake: { accept: () => Promise.reject(new Error('it ended there')) },
    });
    await expect(lost.look()).rejects.toThrow('it ended there');
    await laterBy(db);
    await watchOn(db).look();
    expect(await alertsOf(db)).toMatchObject([{ status: 'firing', received: 1 }]);
  });
});

describe('two replicas', () => {
  it('measure once, and raise it once', async () => {
    const { url, drop } = await throwawayDatabaseUrl();
    const replicas = [await openPostgres(url), await openPostgres(url)] as const;
    const [db] = replicas;
    try {
      await addPast(db, 'latency_p95');
      await addCalls(db, 9, { ms: 30_000 });
      for (let round = 1; round <= 6; round += 1) {
        await clearOfBoundary();
        const looked = await Promise.all(replicas.map((one) => watchOn(one).look()));
        expect(looked.filter(Boolean), `round ${round}`).toHaveLength(1);
        await laterBy(db);
      }
      expect(await alertsOf(db)).toMatchObject([{ status: 'firing', received: 1 }]);
    } finally {
      for (const one of replicas) await one.close();
      await drop();
    }
  });
});
