import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Selectable, sql } from 'kysely';
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
    select * from event
    where (tx, id) > (coalesce((select tx from event where id = ${after}), '0'::xid8), ${after})
      and (tx < pg_snapshot_xmin(pg_current_snapshot()) or at < clock_timestamp() - interval '30 seconds')
    order by tx, id limit ${limit}`.execute(db.q);
  return rows.map(toEvent);
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
