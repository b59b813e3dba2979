/** What goes with an incident, so long after it closed. */
import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { type Batch, before, type Swept } from './sweep.ts';

/** How many closed incidents are looked at in one batch, and how many of them deleted: each has many rows under it. */
const LOOKED_AT = 200;
const AT_ONCE = 25;
/** After so many rounds everything is looked at again, also what was in the way of its deletion before. */
const ROUNDS = 24;

/** A walk through the incidents that closed so long ago, in the order in which they did; the next round goes on where the last one ended. */
export interface Walk {
  /** Begins the next round. */
  round(): void;
  next(db: Database, days: number, limit: number): Promise<Place[]>;
  passed(place: Place): void;
}

interface Place {
  readonly id: number;
  readonly closed: string;
}

const START: Place = { id: 0, closed: '-infinity' };

/** Makes a walk that begins with the incident that closed first. */
export function createWalk(): Walk {
  let [after, rounds] = [START, 0];
  return {
    round() {
      rounds += 1;
      if (rounds % ROUNDS === 0) after = START;
    },
    async next(db, days, limit) {
      const { rows } = await sql<Place>`
        select id, closed_at::text as closed from incident
        where closed_at < ${before(days)}
          and (closed_at, id) > (${after.closed}::timestamptz, ${after.id})
        order by closed_at, id limit ${limit}`.execute(db.q);
      return rows;
    },
    passed(place) {
      after = place;
    },
  };
}

/** Makes the batches that delete the full texts and journals of incidents that closed so long ago. */
export function details(db: Database, walk: Walk, days: number): Batch {
  return async (size) => {
    const places = await walk.next(db, days, LOOKED_AT);
    const last = places.at(-1);
    if (!last) return { deleted: 0, more: false };
    const ids = places.map(({ id }) => id);
    const swept = await empty(db, ['evidence_full', 'journal'], ids, size);
    if (!swept.more) walk.passed(last);
    return { deleted: swept.deleted, more: swept.more || places.length === LOOKED_AT };
  };
}

/** Makes the batches that delete incidents that closed so long ago with all that belongs to them, but for those that must stay. */
export function incidents(db: Database, walk: Walk, days: number, learnedDays: number | null): Batch {
  return async (size) => {
    const places = await walk.next(db, days, LOOKED_AT);
    const last = places.at(-1);
    if (!last) return { deleted: 0, more: false };
    const { rows: free } = await sql<Place>`
      select i.id, i.closed_at::text as closed from incident i
      where i.id = any(${list(places.map(({ id }) => id))}::bigint[]) and ${mayGo(days, learnedDays)}
      order by i.closed_at, i.id limit ${AT_ONCE} for update of i skip locked`.execute(db.q);
    const end = free.at(-1);
    if (!end) {
      walk.passed(last);
      return { deleted: 0, more: places.length === LOOKED_AT };
    }
    const ids = free.map(({ id }) => id);
    const under = await empty(db, UNDER, ids, size);
    if (under.more) return under;
    const { rows } = await sql`delete from incident where id = any(${list(ids)}::bigint[]) returning 1`.execute(db.q);
    if (free.length < AT_ONCE) walk.passed(last);
    else walk.passed(end);
    return { deleted: under.deleted + rows.length, more: places.length === LOOKED_AT || free.length === AT_ONCE };
  };
}

/**
 * What stays whatever its age: what somebody still has to hear or decide, what nobody knows the outcome of, what alerts still come for,
 * what has others under it, and what the audit still tells about. What was sent is counted in records for as long as what is learned.
 */
function mayGo(days: number, learnedDays: number | null): RawBuilder<boolean> {
  const wasSent = sql`exists (select from action a join intent n on n.action_id = a.id where a.incident_id = i.id)`;
  return sql<boolean>`i.closed_at < ${before(days)}
    and (${learnedDays === null ? sql`false` : sql`i.closed_at < ${before(learnedDays)}`} or not ${wasSent})
    and not exists (select from event e where e.incident_id = i.id)
    and not exists (select from signal s where s.incident_id = i.id)
    and not exists (select from incident c where c.parent_id = i.id)
    and not exists (select from alert t where t.incident_id = i.id and t.last_seen_at >= ${before(days)})
    and not exists (select from approval p where p.incident_id = i.id and p.status = 'pending')
    and not exists (select from outbox o where o.incident_id = i.id and o.sent_at is null)
    and not exists (select from action a left join intent n on n.action_id = a.id where a.incident_id = i.id
      and (a.status in ('running', 'unknown') or n.outcome = 'unknown' or (n.action_id is not null and n.outcome is null)))`;
}

/** Whose rows go before the incident's own, those that refer to others first. */
const UNDER = [
  'approval_vote',
  'approval',
  'intent',
  'action',
  'evidence_full',
  'evidence',
  'journal',
  'slack_message',
  'slack_thread',
  'pagerduty_call',
  'pagerduty_projection',
  'outbox_delivery',
  'outbox',
  'model_score',
  'model_spending',
  'alert',
] as const;
type Under = (typeof UNDER)[number];

async function empty(db: Database, tables: readonly Under[], ids: readonly number[], size: number): Promise<Swept> {
  let deleted = 0;
  for (const table of tables) {
    const { rows } = await sql`
      delete from ${sql.table(table)} where ctid = any (array(${rowsUnder(table, list(ids), size)})) returning 1`.execute(
      db.q,
    );
    deleted += rows.length;
    if (rows.length === size) return { deleted, more: true };
  }
  return { deleted, more: false };
}

function rowsUnder(table: Under, ids: string, size: number): RawBuilder<unknown> {
  const these = sql`any(${ids}::bigint[])`;
  if (table === 'approval_vote')
    return sql`select v.ctid from approval_vote v join approval p on p.id = v.approval_id where p.incident_id = ${these} limit ${size}`;
  if (table === 'intent')
    return sql`select n.ctid from intent n join action a on a.id = n.action_id where a.incident_id = ${these} limit ${size}`;
  if (table === 'outbox_delivery')
    return sql`select d.ctid from outbox_delivery d join outbox o on o.id = d.outbox_id where o.incident_id = ${these} limit ${size}`;
  if (table === 'model_spending')
    return sql`select ctid from model_spending where scope in (select 'incident:' || id from unnest(${ids}::bigint[]) id) limit ${size}`;
  // What takes another one back refers to it.
  const order = table === 'action' ? sql`order by undo_of is null` : sql``;
  return sql`select ctid from ${sql.table(table)} where incident_id = ${these} ${order} limit ${size}`;
}

function list(ids: readonly number[]): string {
  return `{${ids.join(',')}}`;
}
