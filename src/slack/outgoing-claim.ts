/** The sending side of the messages' table: who sends what now, and what came of it. */
import { type RawBuilder, sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../database/index.ts';

const PACE_SECONDS = 1;
/** Longer than reading back and sending one message can take; after a crash it is due again then. */
const CLAIM_SECONDS = 60;
/** What could not be said within a day is of no use any more. */
const WANTED_HOURS_MAX = 24;

/** A message as it is stored until Slack has it. */
const wantedSchema = z.object({
  text: z.string(),
  blocks: z.array(z.looseObject({ type: z.string() })),
  broadcast: z.boolean(),
  onlyUpdate: z.boolean(),
});
export type Wanted = z.infer<typeof wantedSchema>;

/** One message that this process alone is to bring to Slack now. */
export interface Claimed {
  /** The outbox id. */
  readonly id: number;
  readonly incidentId: number;
  readonly purpose: string;
  readonly channel: string;
  readonly installation: string;
  readonly ts: string | null;
  readonly rootTs: string | null;
  readonly wanted: Wanted;
  readonly wantedSha256: string;
  readonly attempts: number;
  /** Since when it is unknown whether an earlier send arrived; null where there is no such doubt. */
  readonly doubtSince: Date | null;
}

/** Forgets a message that turned out not to be in Slack and is of no use there any more. */
export async function deleteMessage(db: Database, id: number): Promise<void> {
  await db.q.deleteFrom('slack_message').where('id', '=', id).execute();
}

/**
 * Claims the next message that differs from what Slack has, urgent ones first, a root before its replies; null when nothing is
 * due, or when the channel was written to less than a second ago, by whichever process. A first send is marked before it is made.
 */
export async function claimMessage(db: Database): Promise<Claimed | null> {
  return db.transaction(async () => {
    const { rows } = await sql<ClaimRow>`
      select m.id, m.incident_id, m.purpose, m.channel, c.installation, m.ts, r.ts as root_ts, m.wanted, m.wanted_sha256,
        m.attempts, m.sending_since
      from slack_message m
      join slack_channel c on c.channel = m.channel
      left join slack_message r on r.incident_id = m.incident_id and r.purpose = 'root'
      where m.content_sha256 is distinct from m.wanted_sha256 and m.due_at <= clock_timestamp()
        and m.wanted_at > clock_timestamp() - ${WANTED_HOURS_MAX} * interval '1 hour'
        and c.next_send_at <= clock_timestamp() and (m.purpose = 'root' or r.ts is not null)
      order by m.urgent desc, m.id limit 1 for no key update of m, c skip locked`.execute(db.q);
    const [row] = rows;
    if (!row) return null;
    await db.q
      .updateTable('slack_message')
      .set({
        attempts: row.attempts + 1,
        due_at: secondsFromNow(CLAIM_SECONDS),
        ...(row.ts === null ? { sending_since: sql<Date>`coalesce(sending_since, clock_timestamp())` } : {}),
      })
      .where('id', '=', row.id)
      .execute();
    await pauseChannel(db, row.channel, PACE_SECONDS);
    return {
      id: row.id,
      incidentId: row.incident_id,
      purpose: row.purpose,
      channel: row.channel,
      installation: row.installation,
      ts: row.ts,
      rootTs: row.root_ts,
      wanted: wantedSchema.parse(row.wanted),
      wantedSha256: row.wanted_sha256,
      attempts: row.attempts + 1,
      doubtSince: row.sending_since,
    };
  });
}

interface ClaimRow {
  readonly id: number;
  readonly incident_id: number;
  readonly purpose: string;
  readonly channel: string;
  readonly installation: string;
  readonly ts: string | null;
  readonly root_ts: string | null;
  readonly wanted: unknown;
  readonly wanted_sha256: string;
  readonly attempts: number;
  readonly sending_since: Date | null;
}

/** Records that Slack has the message `ts` with this content; what is wanted by now may be another, and is due at once. */
export async function confirmMessage(
  db: Database,
  id: number,
  has: { ts: string; contentSha256: string | null },
): Promise<void> {
  await db.q
    .updateTable('slack_message')
    .set({
      ts: has.ts,
      content_sha256: has.contentSha256,
      sending_since: null,
      attempts: 0,
      last_error: null,
      due_at: secondsFromNow(0),
    })
    .where('id', '=', id)
    .execute();
}

/** Records that Slack did not take a message; `doubtSince` stays set when it may have taken it all the same. */
export async function failMessage(
  db: Database,
  id: number,
  failure: { error: string; retrySeconds: number; doubtSince: Date | null | 'unchanged' },
): Promise<void> {
  const { error, retrySeconds, doubtSince } = failure;
  await db.q
    .updateTable('slack_message')
    .set({
      last_error: error,
      due_at: secondsFromNow(retrySeconds),
      ...(doubtSince === 'unchanged' ? {} : { sending_since: doubtSince }),
    })
    .where('id', '=', id)
    .execute();
}

/** Lets nobody write to a channel for some seconds; a longer pause that is set already stays. */
export async function pauseChannel(db: Database, channel: string, seconds: number): Promise<void> {
  await db.q
    .updateTable('slack_channel')
    .set({ next_send_at: sql<Date>`greatest(next_send_at, ${secondsFromNow(seconds)})` })
    .where('channel', '=', channel)
    .execute();
}

function secondsFromNow(seconds: number): RawBuilder<Date> {
  return sql<Date>`clock_timestamp() + ${seconds} * interval '1 second'`;
}
