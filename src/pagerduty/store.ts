/** The rows of what is written back: which calls are wanted, who makes them now, and what came of them. */
import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { addEvents, type NewEvent } from '../incident/index.ts';
import { redact } from '../telemetry/index.ts';
import type { Wanted } from './wanted.ts';

/** Longer than the requests of one call can take; after a crash it is due again then. */
const CLAIM_SECONDS = 60;
const BATCH = 50;
/** Closed incidents are looked at again while they are among the latest events. */
const LATEST_EVENTS = 1000;

export interface Claimed {
  readonly id: number;
  readonly incidentId: number;
  readonly source: string;
  /** PagerDuty's name of its incident. */
  readonly subject: string;
  readonly kind: Wanted['kind'];
  readonly words: string;
  readonly fromLevel: number | null;
  readonly toLevel: number | null;
  readonly attempts: number;
  readonly createdAt: Date;
  /** Whether an earlier send may have arrived. */
  readonly perhapsSent: boolean;
}

/** Remembers since when sources are written back; only the first time does anything. */
export async function connectSources(db: Database, sources: readonly string[]): Promise<void> {
  await db.q
    .insertInto('pagerduty_source')
    .values(sources.map((source) => ({ source })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** The incident's version, which every move changes, and the number of its events: ids alone would miss a transaction that commits late. */
const shown = sql<string>`i.version || '/' || (select count(*) from event e where e.incident_id = i.id)`;

/** Lists incidents of these sources about which something new is stored; what was over before its source was connected is left alone. */
export async function changedIncidents(
  db: Database,
  sources: readonly string[],
  except: readonly number[],
): Promise<{ id: number; shows: string }[]> {
  const { rows } = await sql<{ id: number; shows: string }>`
    select i.id, ${shown} as shows from incident i
    left join pagerduty_projection p on p.incident_id = i.id
    where exists (select 1 from alert a join pagerduty_source s on s.source = a.source
        where a.incident_id = i.id and a.source in (${sql.join([...sources])})
          and (i.closed_at is null or i.closed_at >= s.connected_at))
      and (p.incident_id is null or i.closed_at is null
        or i.id in (select latest.incident_id from (select incident_id from event order by id desc limit ${LATEST_EVENTS}) as latest))
      and p.shows is distinct from (${shown})
      and not i.id = any(${`{${except.join(',')}}`}::bigint[])
    order by i.id limit ${BATCH}`.execute(db.q);
  return rows;
}

/** Stores what is wanted about one of PagerDuty's incidents; what was wanted, is not any more and was never tried is forgotten. */
export async function wantCalls(
  db: Database,
  about: { incidentId: number; source: string; subject: string },
  wanted: readonly Wanted[],
): Promise<void> {
  const { incidentId, source, subject } = about;
  const purposes = wanted.map(({ purpose }) => purpose);
  await db.q
    .updateTable('pagerduty_call')
    .set({ outcome: 'unneeded', ended_at: sql<Date>`clock_timestamp()` })
    .where('incident_id', '=', incidentId)
    .where('source', '=', source)
    .where('subject', '=', subject)
    .where('outcome', 'is', null)
    .$if(purposes.length > 0, (query) => query.where('purpose', 'not in', purposes))
    .execute();
  if (wanted.length === 0) return;
  const rows = wanted.map(({ kind, purpose, words }) => ({
    incident_id: incidentId,
    source,
    subject,
    kind,
    purpose,
    words: redact(words),
  }));
  await db.q
    .insertInto('pagerduty_call')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['source', 'subject', 'purpose']).doNothing())
    .execute();
}

/** Records up to where an incident has been looked at. */
export async function setShown(db: Database, incidentId: number, shows: string): Promise<void> {
  await db.q
    .insertInto('pagerduty_projection')
    .values({ incident_id: incidentId, shows })
    .onConflict((conflict) => conflict.column('incident_id').doUpdateSet({ shows }))
    .execute();
}

/**
 * Claims the next call of a source, oldest first, of each of PagerDuty's incidents only one at a time; null when none is due, or when
 * PagerDuty asked for a pause. The first attempt is marked before it is made.
 */
export async function claimCall(db: Database, source: string): Promise<Claimed | null> {
  return db.transaction(async () => {
    // Whoever claims next must see what was claimed before.
    await sql`select pg_advisory_xact_lock(hashtextextended(${`pagerduty ${source}`}, 0))`.execute(db.q);
    const {
      rows: [found],
    } = await sql<{ id: number; perhaps: boolean }>`
      select c.id, c.sending_since is not null as perhaps
      from pagerduty_call c join pagerduty_source s on s.source = c.source
      where c.source = ${source} and c.outcome is null and c.due_at <= clock_timestamp() and s.next_send_at <= clock_timestamp()
        and not exists (select 1 from pagerduty_call o where o.source = c.source and o.subject = c.subject
          and o.claimed_until > clock_timestamp())
      order by c.id limit 1`.execute(db.q);
    if (!found) return null;
    const row = await db.q
      .updateTable('pagerduty_call')
      .set({
        attempts: sql<number>`attempts + 1`,
        due_at: secondsFromNow(CLAIM_SECONDS),
        claimed_until: secondsFromNow(CLAIM_SECONDS),
        sending_since: sql<Date>`coalesce(sending_since, clock_timestamp())`,
      })
      .where('id', '=', found.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return {
      id: row.id,
      incidentId: row.incident_id,
      source: row.source,
      subject: row.subject,
      kind: row.kind as Wanted['kind'],
      words: row.words,
      fromLevel: row.from_level,
      toLevel: row.to_level,
      attempts: row.attempts,
      createdAt: row.created_at,
      perhapsSent: found.perhaps,
    };
  });
}

/** Records to which level an incident is about to be escalated, before that is asked for. */
export async function setLevels(db: Database, id: number, levels: { from: number; to: number }): Promise<void> {
  await db.q
    .updateTable('pagerduty_call')
    .set({ from_level: levels.from, to_level: levels.to })
    .where('id', '=', id)
    .execute();
}

/** Records how a call ended, with the line of the timeline that says so. */
export async function endCall(
  db: Database,
  { id, incidentId }: Pick<Claimed, 'id' | 'incidentId'>,
  end: {
    outcome: 'done' | 'found' | 'unneeded' | 'refused';
    error?: string;
    event?: NewEvent;
    also?: () => Promise<void>;
  },
): Promise<void> {
  await db.transaction(async () => {
    await db.q
      .updateTable('pagerduty_call')
      .set({
        outcome: end.outcome,
        last_error: end.error ?? null,
        sending_since: null,
        claimed_until: null,
        ended_at: sql<Date>`clock_timestamp()`,
      })
      .where('id', '=', id)
      .execute();
    if (end.event) await addEvents(db, incidentId, [end.event]);
    await end.also?.();
  });
}

/** Records that a call did not get through, and when it is tried again. */
export async function postponeCall(
  db: Database,
  id: number,
  failure: { error: string; retrySeconds: number; perhapsSent: boolean },
): Promise<void> {
  await db.q
    .updateTable('pagerduty_call')
    .set({
      last_error: failure.error,
      claimed_until: null,
      due_at: secondsFromNow(failure.retrySeconds),
      ...(failure.perhapsSent ? {} : { sending_since: null }),
    })
    .where('id', '=', id)
    .execute();
}

/** Lets nobody call PagerDuty for a source for some seconds; a longer pause that is set already stays. */
export async function pauseSource(db: Database, source: string, seconds: number): Promise<void> {
  await db.q
    .updateTable('pagerduty_source')
    .set({ next_send_at: sql<Date>`greatest(next_send_at, ${secondsFromNow(seconds)})` })
    .where('source', '=', source)
    .execute();
}

function secondsFromNow(seconds: number): RawBuilder<Date> {
  return sql<Date>`clock_timestamp() + ${seconds} * interval '1 second'`;
}
