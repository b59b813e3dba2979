import { setImmediate as nextTurn } from 'node:timers/promises';
import { type RawBuilder, type Selectable, sql } from 'kysely';
import { type Database, json, type Schema } from '../database/index.ts';
import { redactValue } from '../telemetry/index.ts';
import type { NewEvent } from './stage.ts';

const EVENTS_AT_ONCE = 50;

export interface StoredEvent extends NewEvent {
  readonly id: number;
  readonly incidentId: number | null;
  readonly at: Date;
}

/** Appends to one timeline (null: to that of no incident), which is also the audit; nothing in it is ever changed, so no secret may get in. */
export function addEvents(db: Database, incidentId: number | null, events: readonly NewEvent[]): Promise<void> {
  return addEventsOf(
    db,
    events.map((event) => ({ ...event, incidentId })),
  );
}

/** Appends to the timelines of several incidents at once; see `addEvents`. */
export async function addEventsOf(
  db: Database,
  events: readonly (NewEvent & { readonly incidentId: number | null })[],
): Promise<void> {
  if (events.length === 0) return;
  const rows = await redactedData(events);
  await sql`
    insert into event (incident_id, type, actor, data)
    select "incidentId", type, actor, data
    from jsonb_to_recordset(${json(rows)}) as e("incidentId" bigint, type text, actor text, data jsonb)`.execute(db.q);
}

/** Takes the secrets out of what events tell. */
export async function redactedData<E extends NewEvent>(events: readonly E[]): Promise<E[]> {
  const redacted: E[] = [];
  for (const event of events) {
    redacted.push({ ...event, data: redactValue(event.data) });
    // Thousands of them at once would hold up every other request.
    if (redacted.length % EVENTS_AT_ONCE === 0) await nextTurn();
  }
  return redacted;
}

/** Reads an incident's timeline after an event id, oldest first, at most `limit`. */
export async function eventsAfter(
  db: Database,
  incidentId: number,
  after: number,
  limit: number,
): Promise<StoredEvent[]> {
  const rows = await db.q
    .selectFrom('event')
    .selectAll()
    .where('incident_id', '=', incidentId)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(toEvent);
}

/**
 * Reads what followed an event (0: from the first) in the timelines of all incidents, at most `limit`. The order is that of the
 * transactions, and nothing behind one that is still under way is given, so who goes on from the last one misses nothing;
 * a transaction that takes over 30 s is not waited for.
 */
export async function followEvents(db: Database, after: number, limit: number): Promise<StoredEvent[]> {
  const { rows } = await sql<Selectable<Schema['event']>>`
    select * from event where ${following(after)} order by tx, id limit ${limit}`.execute(db.q);
  return rows.map(toEvent);
}

/** That something was added to a timeline, and to which. */
export type Change = Pick<StoredEvent, 'id' | 'incidentId' | 'type' | 'at'>;

/** Reads the same as `followEvents`, without what the events tell. */
export async function followChanges(db: Database, after: number, limit: number): Promise<Change[]> {
  const { rows } = await sql<Change>`
    select id, incident_id as "incidentId", type, at from event
    where ${following(after)} order by tx, id limit ${limit}`.execute(db.q);
  return rows;
}

/** Gives the id of the event that stands last in that order, 0 where there is none. */
export async function newestEvent(db: Database): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    select id from event where ${COMMITTED} order by tx desc, id desc limit 1`.execute(db.q);
  return rows[0]?.id ?? 0;
}

/** Counts, up to `most`, what followed an event (0: from the first); null where there is no such event, or not any more. */
export async function countFollowing(db: Database, after: number, most: number): Promise<number | null> {
  const { rows } = await sql<{ n: number }>`
    select (select count(*)::int from (select from event e where (e.tx, e.id) > (known.tx, known.id) limit ${most}) as later) as n
    from (select tx, id from event where id = ${after} union all select '0'::xid8, 0 where ${after} = 0) as known`.execute(
    db.q,
  );
  return rows[0]?.n ?? null;
}

/** Nothing that is under way can come to stand before it. */
const COMMITTED = sql<boolean>`(tx < pg_snapshot_xmin(pg_current_snapshot()) or at < clock_timestamp() - interval '30 seconds')`;

function following(after: number): RawBuilder<boolean> {
  return sql<boolean>`(tx, id) > (coalesce((select tx from event where id = ${after}), '0'::xid8), ${after}) and ${COMMITTED}`;
}

function toEvent(row: Selectable<Schema['event']>): StoredEvent {
  return {
    id: row.id,
    incidentId: row.incident_id,
    at: row.at,
    type: row.type,
    actor: row.actor,
    data: row.data as Record<string, unknown>,
  };
}
