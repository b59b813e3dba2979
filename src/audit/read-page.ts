import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { type AuditPage, type EventRow, idsOf, rangesOf, type SealRow } from './chain.ts';

const SEALS_MAX = 50;
/** A page takes no further seal once it has this many events. */
const EVENTS_ENOUGH = 2000;
const UNSEALED_MAX = 1000;
const LOWEST = '-9223372036854775808';
/** This one id is never sealed: a range that holds it has no end that Postgres could store. */
const HIGHEST = '9223372036854775807';

/** Every column of an event, as text that loses nothing and depends on no setting of the session. */
const COLUMNS = sql`
  e.id::text as id, e.incident_id::text as "incidentId", extract(epoch from e.at)::text as at, e.type, e.actor, e.data::text as data`;

/** Reads the seals after one (null: from the first, whatever its id) with their events; past the last seal, what is not sealed yet. */
export async function readPage(db: Database, after: string | null): Promise<AuditPage> {
  const { rows } = await sql<SealRow>`
    select id::text as id, covered::text as covered, encode(event_sha256, 'hex') as "eventSha256",
      previous_sha256 as "previousSha256", extract(epoch from at)::text as at, sha256
    from seal ${after === null ? sql`` : sql`where seal.id > ${after}::bigint`} order by seal.id limit ${SEALS_MAX}`.execute(
    db.q,
  );
  if (rows.length === 0) return { seals: [], events: await readUnsealed(db, await holes(db)) };
  let length = 0;
  const seals = rows.filter((seal) => {
    const taken = length < EVENTS_ENOUGH;
    length += seal.eventSha256.length / 64;
    return taken;
  });
  const ids = seals.flatMap((seal) => idsOf(seal) ?? []);
  const { rows: events } = await sql<EventRow>`
    select ${COLUMNS} from event e where e.id = any(${`{${ids.join(',')}}`}::bigint[])`.execute(db.q);
  return { seals, events };
}

/**
 * Reads events in the gaps of what is sealed, the lowest ids first, at most 1000. Only the gaps are looked at, so it costs
 * the same however many events are sealed.
 */
export async function readUnsealed(db: Database, gaps: string): Promise<EventRow[]> {
  const ranges = rangesOf(gaps);
  const from = `{${ranges.map((range) => range.from || LOWEST).join(',')}}`;
  const to = `{${ranges.map((range) => range.to || HIGHEST).join(',')}}`;
  const { rows } = await sql<EventRow>`
    select ${COLUMNS} from unnest(${from}::bigint[], ${to}::bigint[]) as gap (lowest, beyond)
      cross join lateral (
        select * from event where id >= gap.lowest and id < gap.beyond order by id limit ${UNSEALED_MAX}) e
    order by e.id limit ${UNSEALED_MAX}`.execute(db.q);
  return rows;
}

async function holes(db: Database): Promise<string> {
  const { rows } = await sql<{ gaps: string }>`
    select ('{(,)}'::int8multirange - coalesce(range_agg(covered), '{}'))::text as gaps from seal`.execute(db.q);
  return rows[0]?.gaps ?? '{(,)}';
}
