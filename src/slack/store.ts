import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { type Database, json } from '../database/index.ts';
import { redactValue } from '../telemetry/index.ts';
import type { Wanted } from './outgoing-claim.ts';
import type { Rendered } from './render-blocks.ts';

/** Closed incidents are looked at again while they are among the latest events, because people may still rate them. */
const LATEST_EVENTS = 1000;

/** Remembers since when this channel is written to; only the first call for a channel does anything. */
export async function connectChannel(db: Database, channel: string): Promise<void> {
  await db.q
    .insertInto('slack_channel')
    .values({ channel })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** The incident's version, which every move changes, and the number of its events: ids alone would miss a transaction that commits late. */
const shown = sql<string>`i.version || '/' || (select count(*) from event e where e.incident_id = i.id)`;

/** Lists incidents whose thread does not show what is stored; what was over before the channel was connected, and what was folded at birth, gets no thread. */
export async function staleThreads(
  db: Database,
  channel: string,
  { except, limit }: { except: readonly number[]; limit: number },
): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    select i.id from incident i
    join slack_channel c on c.channel = ${channel}
    left join slack_thread t on t.incident_id = i.id
    where (t.incident_id is not null or ((i.closed_at is null or i.opened_at >= c.connected_at) and i.parent_id is null))
      and (i.closed_at is null or not t.closed
        or i.id in (select latest.incident_id from (select incident_id from event order by id desc limit ${LATEST_EVENTS}) as latest))
      and (t.shows is distinct from (${shown}) or t.look_again_at <= clock_timestamp())
      and not i.id = any(${`{${except.join(',')}}`}::bigint[])
    order by i.id limit ${limit}`.execute(db.q);
  return rows.map(({ id }) => id);
}

/**
 * Takes a thread for rendering, in the current transaction; null when another process has it. `shows` is what a rendering that
 * begins now will at least show.
 */
export async function takeThread(
  db: Database,
  incidentId: number,
  channel: string,
): Promise<{ channel: string; shows: string } | null> {
  await db.q
    .insertInto('slack_thread')
    .values({ incident_id: incidentId, channel })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const thread = await db.q
    .selectFrom('slack_thread')
    .select('channel')
    .where('incident_id', '=', incidentId)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  if (!thread) return null;
  const { rows } = await sql<{
    shows: string;
  }>`select ${shown} as shows from incident i where i.id = ${incidentId}`.execute(db.q);
  return { channel: thread.channel, shows: rows[0]?.shows ?? '' };
}

/** Records what a thread shows now, and when it must be looked at again though nothing happens. */
export async function finishThread(
  db: Database,
  incidentId: number,
  thread: { shows: string; closed: boolean; lookAgainAt: Date | null },
): Promise<void> {
  const { shows, closed, lookAgainAt } = thread;
  await db.q
    .updateTable('slack_thread')
    .set({ shows, closed, look_again_at: lookAgainAt })
    .where('incident_id', '=', incidentId)
    .execute();
}

/** Gives the incident that a thread of a channel is about, by the ts of its root; null where it is none of ours. */
export async function incidentOfThread(db: Database, channel: string, threadTs: string): Promise<number | null> {
  const row = await db.q
    .selectFrom('slack_message')
    .select('incident_id')
    .where('channel', '=', channel)
    .where('purpose', '=', 'root')
    .where('ts', '=', threadTs)
    .executeTakeFirst();
  return row?.incident_id ?? null;
}

/** Gives the purposes of an incident's messages, and which of them Slack may have. */
export async function messagesOf(db: Database, incidentId: number): Promise<Map<string, { perhapsSent: boolean }>> {
  const rows = await db.q
    .selectFrom('slack_message')
    .select(['purpose', 'ts', 'sending_since'])
    .where('incident_id', '=', incidentId)
    .execute();
  return new Map(rows.map((row) => [row.purpose, { perhapsSent: row.ts !== null || row.sending_since !== null }]));
}

/** Gives when the cards of the last hour were admitted, oldest first; until the transaction ends nobody else admits one to the channel. */
export async function lockCards(db: Database, channel: string): Promise<Date[]> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`slack cards ${channel}`}, 0))`.execute(db.q);
  const rows = await db.q
    .selectFrom('slack_message')
    .select('created_at')
    .where('channel', '=', channel)
    .where('purpose', 'like', 'card:%')
    .where('created_at', '>', sql<Date>`clock_timestamp() - interval '1 hour'`)
    .orderBy('created_at')
    .execute();
  return rows.map((row) => row.created_at);
}

/** Stores how a message should stand. One that is being sent is left to its sender, and changed after that. */
export async function wantMessage(
  db: Database,
  place: { incidentId: number; channel: string },
  rendered: Rendered,
): Promise<void> {
  const { purpose, urgent, text, blocks, broadcast, onlyUpdate } = rendered;
  const wanted: Record<keyof Wanted, unknown> = {
    ...(redactValue({ text, blocks }) as { text: unknown; blocks: unknown }),
    broadcast,
    onlyUpdate,
  };
  const sha256 = createHash('sha256').update(JSON.stringify(wanted)).digest('hex');
  await db.q
    .insertInto('slack_message')
    .values({
      incident_id: place.incidentId,
      channel: place.channel,
      purpose,
      wanted: json(wanted),
      wanted_sha256: sha256,
      urgent,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['incident_id', 'purpose'])
        .doUpdateSet({
          wanted: json(wanted),
          wanted_sha256: sha256,
          wanted_at: sql<Date>`clock_timestamp()`,
          urgent,
          attempts: 0,
        })
        .where('slack_message.wanted_sha256', '<>', sha256),
    )
    .execute();
}

/** Takes back a message that was never sent. */
export async function dropMessage(db: Database, incidentId: number, purpose: string): Promise<void> {
  await db.q
    .deleteFrom('slack_message')
    .where('incident_id', '=', incidentId)
    .where('purpose', '=', purpose)
    .where('ts', 'is', null)
    .where('sending_since', 'is', null)
    .execute();
}
