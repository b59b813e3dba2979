import { type RawBuilder, type Selectable, sql } from 'kysely';
import { labelsSchema } from '../alert/index.ts';
import { type Database, json, type Schema } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { redactValue } from '../telemetry/index.ts';
import {
  contextSchema,
  Foreign,
  type Glimpse,
  type Incident,
  incidentName,
  parseIncidentName,
  STATES,
  type State,
} from './incident.ts';
import { inJournal } from './journal.ts';
import { IN_FORCE } from './maintenance.ts';
import type { Message, Signal, StoredAlert } from './stage.ts';

/** Loads an incident. @throws NightshiftError `not_found` naming it. */
export async function loadIncident(db: Database, id: number): Promise<Incident> {
  const row = await db.q.selectFrom('incident').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw notFound(id);
  return toIncident(row);
}

/** By name, because a statement is prepared with what it gives. */
const COLUMNS = [
  'id',
  'state',
  'version',
  'wake_seq',
  'job_id',
  'cycle',
  'correlation_key',
  'title',
  'severity',
  'labels',
  'trace_id',
  'context',
  'opened_at',
  'updated_at',
  'closed_at',
  'parent_id',
  'service',
] as const satisfies readonly (keyof Schema['incident'])[];
export type IncidentRow = Pick<Selectable<Schema['incident']>, (typeof COLUMNS)[number]>;
/** Inside JSON, a moment is text. */
export type StageRow = IncidentRow & { readonly glimpse: Omit<Glimpse, 'at'> & { readonly at: string } };

/** The columns of an incident in a statement where it goes by that name. */
export function incidentColumns(alias: string): RawBuilder<unknown> {
  return sql.join(COLUMNS.map((column) => sql.ref(`${alias}.${column}`)));
}

/** The same with a glimpse of what stands beside it, for a stage. */
export function stageColumns(alias: string): RawBuilder<unknown> {
  const id = sql.ref(`${alias}.id`);
  return sql`${incidentColumns(alias)}, jsonb_build_object('at', clock_timestamp(),
    'maintenance', exists (select from maintenance where ${IN_FORCE}),
    'journal', exists (select from journal where ${inJournal(alias)}),
    'sentSecret', exists (select from action join intent on intent.action_id = action.id
      where action.incident_id = ${id} and action.arguments::text like '%[redacted:%')) as glimpse`;
}

function notFound(id: number): NightshiftError {
  return new NightshiftError(
    'not_found',
    `there is no incident ${incidentName(id)}. Fix: list them with: nightshift incidents`,
  );
}

/**
 * Loads an incident with its alerts and what was said to it, as they were at one moment and in one round trip: what is said a moment later
 * has moved `wakeSeq` on. @throws NightshiftError `not_found` naming it; Foreign where only a newer version knows what to do with it.
 */
export async function loadForStage(
  db: Database,
  id: number,
): Promise<{ incident: Incident; alerts: StoredAlert[]; signals: Signal[] }> {
  const { rows } = await db.prepared(sql<StageRow & { alerts: AlertRow[]; signals: Signal[] }>`
    select ${stageColumns('i')},
      coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'kind', s.kind, 'by', s.by) order by s.id)
        from signal s where s.incident_id = i.id), '[]') as signals,
      coalesce((select jsonb_agg(to_jsonb(a)) from (
        select distinct on (source, fingerprint) * from alert
        where incident_id = i.id and cycle = i.cycle order by source, fingerprint, starts_at desc) a), '[]') as alerts
    from incident i where i.id = ${id}`);
  const [row] = rows;
  if (!row) throw notFound(id);
  const incident = toIncident(row);
  if (incident.isForeign) throw new Foreign(`${incidentName(id)} is in a form that only a newer version knows`);
  return { incident, alerts: toAlerts(row.alerts), signals: row.signals };
}

/**
 * Lists incidents, the newest first, at most `limit`: all of them, or those in the given states, older than the incident `before`, and with
 * a text in their title, in their labels, or as their number.
 */
export async function listIncidents(
  db: Database,
  { states, before, text, limit }: { states?: readonly State[]; before?: number; text?: string; limit: number },
): Promise<Incident[]> {
  let query = db.q.selectFrom('incident').selectAll().orderBy('id', 'desc').limit(limit);
  if (states) query = query.where('state', 'in', states);
  if (before !== undefined) query = query.where('id', '<', before);
  if (text !== undefined) {
    const pattern = `%${text.replace(/[%_\\]/g, '\\$&')}%`;
    // A quotation mark stands in JSON as two characters.
    const inJson = `%${JSON.stringify(text)
      .slice(1, -1)
      .replace(/[%_\\]/g, '\\$&')}%`;
    query = query.where((is) =>
      is.or([
        is('title', 'ilike', pattern),
        sql<boolean>`labels::text ilike ${inJson}`,
        is('id', '=', parseIncidentName(text)),
      ]),
    );
  }
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

/** Reads an incident out of its row; one that this version does not know can still be listed. */
export function toIncident(row: IncidentRow | StageRow): Incident {
  const glimpse = 'glimpse' in row ? { ...row.glimpse, at: new Date(row.glimpse.at) } : null;
  const context = contextSchema.safeParse(row.context);
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
    context: context.data ?? contextSchema.parse({ v: 1 }),
    isForeign: !context.success || !STATES.includes(row.state as State),
    openedAt: row.opened_at,
    updatedAt: row.updated_at,
    closedAt: row.closed_at,
    parentId: row.parent_id,
    service: row.service,
    glimpse,
  };
}

/** Gives the database's time at which an incident was read for its stage; asks the database where it was read for anything else. */
export async function timeOf(db: Database, { glimpse }: Pick<Incident, 'glimpse'>): Promise<Date> {
  return glimpse?.at ?? (await db.now());
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
  return toAlerts(rows);
}

type AlertRow = Omit<Selectable<Schema['alert']>, Moments> &
  Readonly<Record<'starts_at' | 'last_seen_at', Date | string>> & {
    readonly ends_at: Date | string | null;
  };
type Moments = 'starts_at' | 'last_seen_at' | 'ends_at';

/** Inside JSON, moments are text. */
function toAlerts(rows: readonly AlertRow[]): StoredAlert[] {
  return rows
    .toSorted((a, b) => a.id - b.id)
    .map((row) => ({
      source: row.source,
      fingerprint: row.fingerprint,
      status: row.status,
      labels: labelsSchema.parse(row.labels),
      annotations: labelsSchema.parse(row.annotations),
      startsAt: new Date(row.starts_at),
      endsAt: row.ends_at === null ? null : new Date(row.ends_at),
      generatorUrl: row.generator_url,
      receivedAt: new Date(row.last_seen_at),
    }));
}

/** Gives every alert that an incident ever had, oldest first. */
export async function allAlertsOf(db: Database, incidentId: number): Promise<StoredAlert[]> {
  return toAlerts(await db.q.selectFrom('alert').selectAll().where('incident_id', '=', incidentId).execute());
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
export function addSignal(db: Database, incidentId: number, kind: Signal['kind'], by: string): Promise<void> {
  return addSignals(db, [{ incidentId, kind, by }]);
}

/** Says something to several incidents at once; see `addSignal`. */
export async function addSignals(
  db: Database,
  signals: readonly { readonly incidentId: number; readonly kind: Signal['kind']; readonly by: string }[],
): Promise<void> {
  if (signals.length === 0) return;
  await db.q
    .insertInto('signal')
    .values(signals.map(({ incidentId, kind, by }) => ({ incident_id: incidentId, kind, by })))
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
