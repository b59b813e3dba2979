import { randomUUID } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import { PgBoss } from 'pg-boss';
import { SEVERITIES, type Severity } from '../alert/index.ts';
import { type Database, json } from '../database/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { bandOf, begunPriority, type Enqueued, prioritiesOf, type TeamWaiting } from './priority.ts';

const QUEUE = 'advance-incident';
const SCHEMA = 'pgboss';
/** pg-boss's smallest; another replica takes over about this long after a worker died. */
const HEARTBEAT_SECONDS = 10;
const DAY_SECONDS = 86_400;

/** The right to advance one incident, until it is completed or its heartbeat lapses. */
export interface Lease {
  readonly incidentId: number;
  readonly attempt: { readonly id: string; readonly retryCount: number };
}

/** When a job is due: at a moment that the database has given, or in so many seconds by its clock. */
export type Due = Date | number;

/** One job per incident, ever: queued, or in the hands of one worker. Called inside a transaction, all of it joins. */
export interface Queue {
  /** Enqueues the jobs of incidents, due now or later; gives the id of each, but none for one that has a job already. */
  enqueue(jobs: readonly Enqueued[], due: Due): Promise<ReadonlyMap<number, string>>;
  /** Makes queued jobs due now, or at a time, and puts them among what has begun where that is asked for; does nothing to those that a worker holds. */
  pullForward(jobIds: readonly string[], change?: { readonly due?: Due; readonly begun?: Severity }): Promise<void>;
  /** Takes up to `max` jobs that are due, the one with the highest priority first. */
  take(max: number): Promise<Lease[]>;
  /** Gives a job back as done; tells whether this lease still held it. */
  complete(lease: Lease): Promise<boolean>;
  /** Gives a job back to be tried again with a growing delay. */
  giveBack(lease: Lease): Promise<void>;
  /** Gives jobs back so that whoever is free goes on with them at once. */
  release(leases: readonly Lease[]): Promise<void>;
  /** Puts queued jobs off by so many seconds, as jobs of what has begun; gives those that no worker holds. */
  putOff(jobIds: readonly string[], seconds: number): Promise<string[]>;
  /** Counts what is due now and in nobody's hands. */
  depth(): Promise<Depth[]>;
  /** Keeps a lease alive, and from lapsing before the current transaction ends; tells whether it still held. */
  touch(lease: Lease): Promise<boolean>;
  /** Keeps leases alive, however busy the database's other sessions are; gives those that are lost. */
  keep(leases: readonly Lease[]): Promise<Lease[]>;
  /** That a lease has not lapsed, in the words of SQL: a condition for what only its holder may write. */
  held(lease: Lease): RawBuilder<unknown>;
  stop(): Promise<void>;
}

/** How much of one kind waits for a worker. */
export interface Depth {
  /** What is to be begun by its severity, and all that has begun as one. */
  readonly kind: Severity | 'begun';
  readonly waiting: number;
  readonly oldestSeconds: number;
}

/** The jobs of incidents that wait to be begun, in the words of SQL. */
export const TO_BEGIN = sql`j.name = ${QUEUE} and j.state < 'active' and not j.blocked and j.priority < 0`;

/** Starts the job queue on the same database: pg-boss in its own schema. */
export async function startQueue(db: Database, log: Logger): Promise<Queue> {
  const boss = new PgBoss({
    db: { executeSql: (text, values) => db.executeSql(text, values) },
    schema: SCHEMA,
    // A migration has made it, because the application's role may not.
    createSchema: false,
    backend: db.kind === 'embedded' ? 'pglite' : 'postgres',
    schedule: false,
    superviseIntervalSeconds: 2,
    monitorIntervalSeconds: 2,
    maintenanceIntervalSeconds: 600,
  });
  boss.on('error', (error) => log.error({ error }, 'job queue'));
  const stop = () => boss.stop({ graceful: false, close: false });
  try {
    await boss.start();
    await boss.createQueue(QUEUE, {
      policy: 'exclusive',
      heartbeatSeconds: HEARTBEAT_SECONDS,
      retryLimit: 1_000_000,
      retryDelay: 1,
      retryBackoff: true,
      retryDelayMax: 30,
      expireInSeconds: DAY_SECONDS,
      retentionSeconds: 365 * DAY_SECONDS,
      deleteAfterSeconds: 3600,
    });
    if (db.kind === 'embedded') await releaseAll(db, boss);
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }

  const pullForward: Queue['pullForward'] = async (jobIds, { due = 0, begun } = {}) => {
    if (jobIds.length === 0) return;
    const at =
      typeof due === 'number' ? sql`clock_timestamp() + ${due} * interval '1 second'` : sql`${due}::timestamptz`;
    const priority = begun === undefined ? sql`j.priority` : sql`${begunPriority(begun)}::int`;
    // One statement for many, as `update` of pg-boss does it for one.
    await sql`
      update pgboss.job j set start_after = ${at}, keep_until = ${at} + (j.keep_until - j.start_after), priority = ${priority}
      where j.name = ${QUEUE} and j.id = any(${jobIds}::uuid[]) and j.state < 'active'`.execute(db.q);
  };

  return {
    async enqueue(enqueued, due) {
      const severities = new Set(enqueued.flatMap(({ severity, team }) => (team === null ? [] : [severity])));
      const priorities = prioritiesOf(enqueued, severities.size > 0 ? await teamsWaiting(db, [...severities]) : []);
      const jobs = enqueued.map(({ incidentId, team }, index) => ({
        id: randomUUID(),
        data: { incident: incidentId },
        singletonKey: String(incidentId),
        priority: priorities[index] as number,
        ...(team === null ? {} : { group: { id: team } }),
        startAfter: due,
      }));
      const made = new Set(jobs.length === 0 ? [] : await boss.insert(QUEUE, jobs, { returnId: true }));
      return new Map(jobs.filter(({ id }) => made.has(id)).map(({ id, data }) => [data.incident, id]));
    },
    pullForward,
    async take(max) {
      const jobs = await boss.fetch<{ incident: number }>(QUEUE, { batchSize: max });
      return jobs.map(({ id, retryCount, data }) => ({ incidentId: data.incident, attempt: { id, retryCount } }));
    },
    async complete({ attempt }) {
      return affected(await boss.complete(QUEUE, attempt)).length === 1;
    },
    async giveBack({ attempt }) {
      await boss.fail(QUEUE, attempt);
    },
    async release(leases) {
      if (leases.length === 0) return;
      const attempts = leases.map(({ attempt }) => attempt);
      await db.transaction(async () => pullForward(affected(await boss.fail(QUEUE, attempts))));
    },
    async putOff(jobIds, seconds) {
      const { rows } = await sql<{ id: string }>`
        update pgboss.job j set priority = 0, start_after = clock_timestamp() + ${seconds} * interval '1 second',
          keep_until = j.keep_until + ${seconds} * interval '1 second'
        where j.id = any(${jobIds}::uuid[]) and ${TO_BEGIN} returning j.id`.execute(db.q);
      return rows.map(({ id }) => id);
    },
    async depth() {
      const { rows } = await sql<{ band: number; waiting: number; oldest: number }>`
        select ${BAND_NUMBER} as band, count(*)::int as waiting,
          coalesce(extract(epoch from clock_timestamp() - min(j.start_after)), 0)::int as oldest
        from pgboss.job j
        where j.name = ${QUEUE} and j.state < 'active' and not j.blocked and j.start_after <= clock_timestamp()
        group by 1`.execute(db.q);
      return [...SEVERITIES, 'begun' as const].map((kind, band) => {
        const row = rows.find((one) => one.band === band);
        return { kind, waiting: row?.waiting ?? 0, oldestSeconds: row?.oldest ?? 0 };
      });
    },
    async touch({ attempt }) {
      return affected(await boss.touch(QUEUE, attempt)).length === 1;
    },
    async keep(leases) {
      if (leases.length === 0) return [];
      // As `touch` of pg-boss does it, but that waits for nobody who has one of the jobs locked: that is its own worker, who touches it.
      const { rows } = await db.executeAside(
        `with lease as (select * from jsonb_to_recordset($1::text::jsonb) as l(id uuid, "retryCount" int)
        ), held as (
          select j.id from lease l join pgboss.job j
          on j.name = $2 and j.id = l.id and j.state = 'active' and j.retry_count = l."retryCount"
        ), touched as (
          update pgboss.job set heartbeat_on = pgboss.job_now() where name = $2 and id in (
            select j.id from pgboss.job j join held using (id) where j.name = $2 order by j.id for update of j skip locked)
        ) select id from held`,
        [JSON.stringify(leases.map(({ attempt }) => attempt)), QUEUE],
      );
      const kept = new Set((rows as { id: string }[]).map(({ id }) => id));
      return leases.filter(({ attempt }) => !kept.has(attempt.id));
    },
    held({ attempt }) {
      return sql`exists (select 1 from pgboss.job where name = ${QUEUE} and id = ${attempt.id}::uuid
        and state = 'active' and retry_count = ${attempt.retryCount})`;
    },
    stop,
  };
}

/** 0 to 3 for what is to be begun by severity, 4 for what has begun. */
const BAND_NUMBER = sql`case when j.priority >= 0 then ${sql.lit(SEVERITIES.length)}
  else (j.priority - (${sql.lit(bandOf(SEVERITIES[0]).from)})) / ${sql.lit(bandOf(SEVERITIES[1]).from - bandOf(SEVERITIES[0]).from)} end`;

/** What each team has waiting in these bands; in one statement, and without an index of its own because no more than `limits.queue` wait. */
async function teamsWaiting(db: Database, severities: readonly Severity[]): Promise<TeamWaiting[]> {
  const bands = severities.map((severity) => ({ severity, ...bandOf(severity) }));
  const { rows } = await sql<{ severity: Severity; to: number; team: string | null; lowest: number; highest: number }>`
    select b.severity, j.group_id as team, b.to - max(j.priority) as lowest, b.to - min(j.priority) as highest
    from jsonb_to_recordset(${json(bands)}) as b(severity text, "from" int, "to" int)
    join pgboss.job j on ${TO_BEGIN} and j.priority between b.from and b.to
    group by 1, 2, b.to`.execute(db.q);
  return rows.map(({ severity, team, lowest, highest }) => ({
    severity,
    team,
    lowestTag: lowest,
    highestTag: highest,
  }));
}

/** On the embedded database no other process can be at work, so whatever is held was held by one that is gone: no need to wait for its heartbeat. */
async function releaseAll(db: Database, boss: PgBoss): Promise<void> {
  const { rows } = await db.executeSql(`select id from ${SCHEMA}.job where name = $1 and state = 'active'`, [QUEUE]);
  const ids = (rows as { id: string }[]).map(({ id }) => id);
  if (ids.length > 0) await boss.fail(QUEUE, ids);
}

/** Ids of the jobs that a command really reached; pg-boss answers them but its types leave them out. */
function affected(response: object): string[] {
  return (response as { settled?: string[] }).settled ?? [];
}
