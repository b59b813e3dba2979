import { type Selectable, sql } from 'kysely';
import { type Labels, labelsSchema } from '../alert/index.ts';
import { type Database, json, type Schema } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { newTraceId, redactValue } from '../telemetry/index.ts';
import { type Context, contextSchema, type Incident, incidentName, isClosed, STATES, type State } from './incident.ts';
import { plain } from './plain.ts';
import type { Message, NewEvent, Signal, StoredAlert } from './stage.ts';

export interface StoredEvent extends NewEvent {
  readonly id: number;
  readonly incidentId: number | null;
  readonly at: Date;
}

/** Loads an incident. @throws NightshiftError `not_found` naming it. */
export async function loadIncident(db: Database, id: number): Promise<Incident> {
  const row = await db.q.selectFrom('incident').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row)
    throw new NightshiftError(
      'not_found',
      `there is no incident ${incidentName(id)}. Fix: list them with: nightshift incidents`,
    );
  return toIncident(row);
}

/**
 * Opens an incident in the current transaction, with the first line of its timeline; gives its number.
 * `because` says why it is one of its own.
 */
export async function openIncident(
  db: Database,
  opening: {
    state: State;
    correlationKey: string;
    title: string;
    severity: string;
    labels: Labels;
    context: { v: 1 } & Partial<Context>;
    because: string;
    actor: string;
  },
): Promise<number> {
  const { state, correlationKey, labels, context, because, actor } = opening;
  const title = plain(opening.title);
  const traceId = newTraceId();
  const { id } = await db.q
    .insertInto('incident')
    .values({
      state,
      correlation_key: correlationKey,
      title,
      severity: plain(opening.severity).slice(0, 32),
      labels: json(labels),
      trace_id: traceId,
      context: json(context),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await addEvents(db, id, [{ type: 'incident.opened', actor, data: { title, because, traceId } }]);
  return id;
}

/** Lists incidents, the newest first, at most `limit`, optionally only those in the given states. */
export async function listIncidents(
  db: Database,
  options: { states?: readonly State[]; limit: number },
): Promise<Incident[]> {
  let query = db.q.selectFrom('incident').selectAll().orderBy('id', 'desc').limit(options.limit);
  if (options.states) query = query.where('state', 'in', options.states);
  return (await query.execute()).map(toIncident);
}

/** Counts incidents in each state. */
export async function countIncidents(db: Database): Promise<Record<State, number>> {
  const rows = await db.q
    .selectFrom('incident')
    .select(['state', db.q.fn.countAll<number>().as('n')])
    .groupBy('state')
    .execute();
  const counts = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>;
  for (const { state, n } of rows) counts[state as State] = Number(n);
  return counts;
}

function toIncident(row: Selectable<Schema['incident']>): Incident {
  return {
    id: row.id,
    state: row.state as State,
    version: row.version,
    wakeSeq: row.wake_seq,
    jobId: row.job_id,
    cycle: row.cycle,
    correlationKey: row.correlation_key,
    title: row.title,
    severity: row.severity,
    labels: labelsSchema.parse(row.labels),
    traceId: row.trace_id,
    context: contextSchema.parse(row.context),
    openedAt: row.opened_at,
    updatedAt: row.updated_at,
    closedAt: row.closed_at,
  };
}

/** Gives the alerts of an incident's present cycle, oldest first, and of each fingerprint only the latest. */
export async function alertsOf(db: Database, { id, cycle }: Pick<Incident, 'id' | 'cycle'>): Promise<StoredAlert[]> {
  const rows = await db.q
    .selectFrom('alert')
    .selectAll()
    .distinctOn(['source', 'fingerprint'])
    .where('incident_id', '=', id)
    .where('cycle', '=', cycle)
    .orderBy('source')
    .orderBy('fingerprint')
    .orderBy('starts_at', 'desc')
    .execute();
  return rows
    .sort((a, b) => a.id - b.id)
    .map((row) => ({
      source: row.source,
      fingerprint: row.fingerprint,
      status: row.status,
      labels: labelsSchema.parse(row.labels),
      annotations: labelsSchema.parse(row.annotations),
      startsAt: row.starts_at,
      endsAt: row.ends_at,
      generatorUrl: row.generator_url,
      receivedAt: row.last_seen_at,
    }));
}

/** Gives the words said to an incident that no stage has heard yet. */
export async function signalsOf(db: Database, incidentId: number): Promise<Signal[]> {
  const rows = await db.q
    .selectFrom('signal')
    .select(['id', 'kind', 'by'])
    .where('incident_id', '=', incidentId)
    .orderBy('id')
    .execute();
  return rows.map((row) => ({ id: row.id, kind: row.kind as Signal['kind'], by: row.by }));
}

/** Says something to an incident; wake it in the same transaction. */
export async function addSignal(db: Database, incidentId: number, kind: Signal['kind'], by: string): Promise<void> {
  await db.q.insertInto('signal').values({ incident_id: incidentId, kind, by }).execute();
}

/** Drops the words that a stage has heard. */
export async function dropSignals(db: Database, signals: readonly Signal[]): Promise<void> {
  if (signals.length === 0) return;
  await db.q
    .deleteFrom('signal')
    .where(
      'id',
      'in',
      signals.map(({ id }) => id),
    )
    .execute();
}

/** Appends to the timeline, which is also the audit; nothing in it is ever changed, so no secret may get in. */
export async function addEvents(db: Database, incidentId: number | null, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await db.q
    .insertInto('event')
    .values(
      events.map(({ type, actor, data }) => ({ incident_id: incidentId, type, actor, data: json(redactValue(data)) })),
    )
    .execute();
}

/** Puts messages for people into the outbox, without secrets. */
export async function addMessages(db: Database, incidentId: number, messages: readonly Message[]): Promise<void> {
  if (messages.length === 0) return;
  await db.q
    .insertInto('outbox')
    .values(
      messages.map((message) => ({ incident_id: incidentId, kind: message.kind, message: json(redactValue(message)) })),
    )
    .execute();
}

/** Reads the timeline after an event id, oldest first, of one incident or of all (null), at most `limit`. */
export async function eventsAfter(
  db: Database,
  incidentId: number | null,
  after: number,
  limit: number,
): Promise<StoredEvent[]> {
  let query = db.q.selectFrom('event').selectAll().where('id', '>', after).orderBy('id').limit(limit);
  if (incidentId !== null) query = query.where('incident_id', '=', incidentId);
  const rows = await query.execute();
  return rows.map((row) => ({
    id: row.id,
    incidentId: row.incident_id,
    at: row.at,
    type: row.type,
    actor: row.actor,
    data: row.data as Record<string, unknown>,
  }));
}

/**
 * Moves an incident to its next state if nobody else has moved it since it was loaded; tells whether it did.
 * With `unlessWoken`, also refuses when something was said to it meanwhile, so that no wake-up is slept through.
 */
export async function moveIncident(
  db: Database,
  incident: Incident,
  change: { state: State; context: Context; unlessWoken: boolean },
): Promise<boolean> {
  const closing = isClosed(change.state) && !isClosed(incident.state);
  const reopening = incident.state === 'resolved' && change.state === 'received';
  let update = db.q
    .updateTable('incident')
    .set({
      state: change.state,
      version: incident.version + 1,
      cycle: reopening ? incident.cycle + 1 : incident.cycle,
      context: json(change.context),
      updated_at: sql<Date>`clock_timestamp()`,
      closed_at: closing ? sql<Date>`clock_timestamp()` : reopening ? null : incident.closedAt,
    })
    .where('id', '=', incident.id)
    .where('version', '=', incident.version);
  if (change.unlessWoken) update = update.where('wake_seq', '=', incident.wakeSeq);
  const { numUpdatedRows } = await update.executeTakeFirst();
  return numUpdatedRows === 1n;
}
