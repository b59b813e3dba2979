/** The rows of messages to people: which channel still has to say what, and what came of it. */
import { type RawBuilder, sql } from 'kysely';
import { type Database, json } from '../database/index.ts';
import { addEvents, incidentName } from '../incident/index.ts';
import { redactValue } from '../telemetry/index.ts';
import type { Channel, Outgoing } from './channel.ts';

const BATCH = 50;
/** Longer than any channel takes for one message; after a crash it is due again then. */
const CLAIM_SECONDS = 60;

type Stored = Pick<Outgoing, 'id' | 'incidentId' | 'kind' | 'text' | 'at'>;

export interface Due extends Outgoing {
  readonly attempts: number;
}

type ToldKind =
  | 'unpaged'
  | 'watchdog_gone'
  | 'watchdog_back'
  | 'tools_quarantined'
  | 'tools_as_pinned'
  | 'overloaded'
  | 'overload_over';

/** Puts a message that no stage gave rise to into the outbox, in the current transaction, without secrets. */
export async function tellPeople(
  db: Database,
  message: { incidentId: number | null; kind: ToldKind; text: string },
): Promise<void> {
  const { incidentId, kind, text } = message;
  await db.q
    .insertInto('outbox')
    .values({ incident_id: incidentId, kind, message: json(redactValue({ kind, text })) })
    .execute();
}

/** Gives each new message its row for each channel, once, whichever replica does it; gives those messages. */
export async function routeMessages(db: Database, channels: readonly Channel[]): Promise<Stored[]> {
  return db.transaction(async () => {
    const none = channels.length === 0;
    const rows = await db.q
      .updateTable('outbox')
      .set({ routed_at: sql<Date>`clock_timestamp()`, ...(none ? { sent_at: sql<Date>`clock_timestamp()` } : {}) })
      .where(
        'id',
        'in',
        sql<number>`(select id from outbox where routed_at is null and sent_at is null order by id limit ${BATCH} for update skip locked)`,
      )
      .returningAll()
      .execute();
    const deliveries = rows.flatMap(({ id }) => channels.map(({ name }) => ({ outbox_id: id, channel: name })));
    if (deliveries.length > 0)
      await db.q
        .insertInto('outbox_delivery')
        .values(deliveries)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    return rows.map(toStored).sort((a, b) => a.id - b.id);
  });
}

/** Ends what waits for a channel that is not set any more. */
export async function dropOtherChannels(db: Database, channels: readonly Channel[]): Promise<void> {
  const names = channels.map(({ name }) => name as string);
  await db.transaction(async () => {
    const dropped = await db.q
      .updateTable('outbox_delivery')
      .set({
        outcome: 'unneeded',
        last_error: 'this channel is not set any more',
        ended_at: sql<Date>`clock_timestamp()`,
      })
      .where('outcome', 'is', null)
      .$if(names.length > 0, (query) => query.where('channel', 'not in', names))
      .returning('outbox_id')
      .execute();
    for (const id of new Set(dropped.map(({ outbox_id }) => outbox_id))) await finishMessage(db, id);
  });
}

/**
 * Claims the next message that a channel has to say; null when nothing is due. A claim is a mark that the send may have happened,
 * made before it is.
 */
export async function claimDelivery(db: Database, { name, inOrder }: Channel): Promise<Due | null> {
  return db.transaction(async () => {
    const earlier = sql`exists (select 1 from outbox_delivery e join outbox eo on eo.id = e.outbox_id
      where e.channel = d.channel and e.outcome is null and e.outbox_id < d.outbox_id and eo.incident_id is not distinct from o.incident_id)`;
    const {
      rows: [row],
    } = await sql<{ outbox_id: number; attempts: number; sending_since: Date | null }>`
      select d.outbox_id, d.attempts, d.sending_since from outbox_delivery d join outbox o on o.id = d.outbox_id
      where d.channel = ${name} and d.outcome is null and d.due_at <= clock_timestamp()
        ${inOrder ? sql`and not ${earlier}` : sql``}
      order by d.outbox_id limit 1 for update of d skip locked`.execute(db.q);
    if (!row) return null;
    await update(
      db,
      { id: row.outbox_id, channel: name },
      {
        attempts: row.attempts + 1,
        due_at: secondsFromNow(CLAIM_SECONDS),
        sending_since: sql<Date>`coalesce(sending_since, clock_timestamp())`,
      },
    );
    const message = await db.q
      .selectFrom('outbox')
      .selectAll()
      .where('id', '=', row.outbox_id)
      .executeTakeFirstOrThrow();
    return {
      ...toStored(message),
      incident: message.incident_id === null ? 'nightshift' : incidentName(message.incident_id),
      attempts: row.attempts + 1,
      perhapsSent: row.sending_since !== null,
    };
  });
}

/** Records how a delivery ended. */
export async function endDelivery(
  db: Database,
  delivery: { id: number; channel: string },
  end: { outcome: 'sent' | 'unneeded' | 'refused'; error: string | null },
): Promise<void> {
  await db.transaction(async () => {
    await update(db, delivery, {
      outcome: end.outcome,
      last_error: end.error,
      sending_since: null,
      ended_at: sql<Date>`clock_timestamp()`,
    });
    await finishMessage(db, delivery.id);
  });
}

/** Records that a channel did not get a message through, and when it tries again. */
export async function postponeDelivery(
  db: Database,
  delivery: { id: number; channel: string },
  failure: { error: string; retrySeconds: number; perhapsSent: boolean },
): Promise<void> {
  await update(db, delivery, {
    last_error: failure.error,
    due_at: secondsFromNow(failure.retrySeconds),
    ...(failure.perhapsSent ? {} : { sending_since: null }),
  });
}

/**
 * Where every channel that was to say a message has failed at least once and none has said it: writes that into the timeline, the
 * first time, and gives the channels in their order with what each met; null otherwise.
 */
export async function noteAllFailed(
  db: Database,
  { id, incidentId, kind }: Stored,
  channels: readonly Channel[],
): Promise<{ channel: string; attempts: number; error: string | null }[] | null> {
  return db.transaction(async () => {
    await lockMessage(db, id);
    const rows = await db.q.selectFrom('outbox_delivery').selectAll().where('outbox_id', '=', id).execute();
    const wanted = rows.filter(({ outcome }) => outcome !== 'unneeded');
    if (wanted.length === 0 || wanted.some(({ outcome, last_error }) => outcome === 'sent' || last_error === null))
      return null;
    const { numUpdatedRows } = await db.q
      .updateTable('outbox')
      .set({ failed_at: sql<Date>`clock_timestamp()` })
      .where('id', '=', id)
      .where('failed_at', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return null;
    const place = new Map<string, number>(channels.map(({ name }, index) => [name, index]));
    const failed = wanted
      .sort((a, b) => (place.get(a.channel) ?? 0) - (place.get(b.channel) ?? 0))
      .map(({ channel, attempts, last_error }) => ({ channel, attempts, error: last_error }));
    const event = { type: 'message.undelivered', actor: 'nightshift', data: { message: id, kind, channels: failed } };
    await addEvents(db, incidentId, [event]);
    return failed;
  });
}

/** Two channels that end at the same time must see each other's end. */
async function lockMessage(db: Database, id: number): Promise<void> {
  await db.q.selectFrom('outbox').select('id').where('id', '=', id).forUpdate().execute();
}

async function finishMessage(db: Database, id: number): Promise<void> {
  await lockMessage(db, id);
  await sql`
    update outbox set sent_at = clock_timestamp() where id = ${id} and sent_at is null
      and not exists (select 1 from outbox_delivery where outbox_id = ${id} and outcome is null)`.execute(db.q);
}

async function update(
  db: Database,
  { id, channel }: { id: number; channel: string },
  change: Record<string, unknown>,
): Promise<void> {
  await db.q
    .updateTable('outbox_delivery')
    .set(change)
    .where('outbox_id', '=', id)
    .where('channel', '=', channel)
    .execute();
}

function toStored(row: {
  id: number;
  incident_id: number | null;
  kind: string;
  message: unknown;
  created_at: Date;
}): Stored {
  const { text } = row.message as { text: string };
  return { id: row.id, incidentId: row.incident_id, kind: row.kind, text, at: row.created_at };
}

function secondsFromNow(seconds: number): RawBuilder<Date> {
  return sql<Date>`clock_timestamp() + ${seconds} * interval '1 second'`;
}
