import { sql } from 'kysely';
import type { Labels } from '../alert/index.ts';
import { type Database, json } from '../database/index.ts';
import { newTraceId } from '../telemetry/index.ts';
import { type Context, isClosed, type State } from './incident.ts';
import { plain } from './plain.ts';
import { addEventsOf } from './timeline.ts';

/** Any number that nothing else in the database locks. */
const OPENINGS_LOCK = 4_815_162_342;

/** What is known of an incident when it is opened. */
export interface Opening {
  readonly state: State;
  readonly correlationKey: string;
  readonly title: string;
  readonly severity: string;
  readonly labels: Labels;
  readonly service?: string | null;
  /** It is never folded by itself. */
  readonly keptApart?: boolean;
  /** When what it is about began; now where nobody says. */
  readonly startedAt?: Date;
  readonly context: { readonly v: 1 } & Partial<Context>;
  /** Says why it is one of its own. */
  readonly because: string;
  readonly actor: string;
}

/** Opens incidents in the current transaction, each with the first line of its timeline; gives their numbers in the same order. */
export async function openIncidents(db: Database, openings: readonly Opening[]): Promise<number[]> {
  if (openings.length === 0) return [];
  const rows = openings.map((opening, n) => ({
    n,
    state: opening.state,
    correlation_key: opening.correlationKey,
    title: plain(opening.title),
    severity: plain(opening.severity).slice(0, 32),
    labels: opening.labels,
    service: opening.service ?? null,
    started_at: opening.startedAt ?? null,
    kept_apart: opening.keptApart ?? false,
    trace_id: newTraceId(),
    context: opening.context,
    is_closed: isClosed(opening.state),
  }));
  const { rows: ids } = await sql<{ id: number; trace_id: string }>`
    insert into incident (state, correlation_key, title, severity, labels, service, started_at, kept_apart, trace_id, context, closed_at)
    select state, correlation_key, title, severity, labels, service, coalesce(started_at, clock_timestamp()), kept_apart,
      trace_id, context, case when is_closed then clock_timestamp() end
    from jsonb_to_recordset(${json(rows)}) as o(
      n int, state text, correlation_key text, title text, severity text, labels jsonb, service text,
      started_at timestamptz, kept_apart boolean, trace_id text, context jsonb, is_closed boolean)
    order by n
    returning id, trace_id`.execute(db.q);
  const idOf = new Map(ids.map((row) => [row.trace_id, row.id]));
  const numbers = rows.map((row) => idOf.get(row.trace_id) as number);
  await addEventsOf(
    db,
    rows.map(({ n, title, trace_id: traceId }) => {
      const { actor, because } = openings[n] as Opening;
      return { incidentId: numbers[n] as number, type: 'incident.opened', actor, data: { title, because, traceId } };
    }),
  );
  return numbers;
}

/** Opens one incident; see `openIncidents`. */
export async function openIncident(db: Database, opening: Opening): Promise<number> {
  const [id] = await openIncidents(db, [opening]);
  return id as number;
}

/** Lets one transaction at a time decide which incidents are opened by alerts and what is folded under what, until it ends. */
export async function lockOpenings(db: Database): Promise<void> {
  await sql`select pg_advisory_xact_lock(${OPENINGS_LOCK})`.execute(db.q);
}

/** Keeps others from opening and folding until this transaction ends; any number may hold it at once, and none while one has it locked. */
export async function holdOpenings(db: Database): Promise<void> {
  await sql`select pg_advisory_xact_lock_shared(${OPENINGS_LOCK})`.execute(db.q);
}
