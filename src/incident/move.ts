import { type RawBuilder, sql } from 'kysely';
import { type Database, json } from '../database/index.ts';
import { redactValue } from '../telemetry/index.ts';
import { type Context, type Incident, isClosed, type State } from './incident.ts';
import type { Message, NewEvent, Signal } from './stage.ts';
import { type IncidentRow, incidentColumns, type StageRow, stageColumns, toIncident } from './store.ts';
import { redactedData } from './timeline.ts';

/** What is committed together when an incident moves. */
export interface Move {
  readonly state: State;
  readonly context: Context;
  /** What must be true in the database for it to move: that whoever moves it may still do so. */
  readonly provided: RawBuilder<unknown>;
  /** Whether it moves only if nothing was said to it since it was loaded, so that no wake-up is slept through. */
  readonly unlessWoken: boolean;
  readonly events: readonly NewEvent[];
  readonly messages: readonly Message[];
  /** Words that were acted upon, and are dropped. */
  readonly heard: readonly Signal[];
  /** Whether its job is given back in the same transaction. */
  readonly leaves: boolean;
}

/**
 * Moves an incident to its next state, with its timeline and its messages (without secrets), if nobody else has moved it since it was
 * loaded, and if what it provides holds; gives it as it is then, or null, with nothing written. It is one statement, and so whole also outside a transaction.
 */
export async function moveIncident(db: Database, incident: Incident, move: Move): Promise<Incident | null> {
  const { state, context, provided, unlessWoken, messages, heard, leaves } = move;
  const closing = isClosed(state) && !isClosed(incident.state);
  const reopening = incident.state === 'resolved' && state === 'received';
  const closedAt = closing ? sql`clock_timestamp()` : reopening ? sql`null` : sql`closed_at`;
  // What was folded under an incident that is over by now stands by itself.
  const reopened = sql`, reopened_at = clock_timestamp(), cycle = cycle + 1, parent_id = (select p.id from incident p
    where p.id = incident.parent_id and p.closed_at is null)`;
  const events = await redactedData(move.events);
  const told = sql`, told as (insert into event (incident_id, type, actor, data)
    select moved.id, e.type, e.actor, e.data
    from moved, jsonb_to_recordset(${json(events)}) as e(type text, actor text, data jsonb))`;
  const said = sql`, said as (insert into outbox (incident_id, kind, message)
    select moved.id, m ->> 'kind', m
    from moved, jsonb_array_elements(${json(messages.map((message) => redactValue(message)))}) as m)`;
  const dropped = sql`, dropped as (delete from signal using moved
    where signal.id = any(${heard.map(({ id }) => id)}::bigint[]))`;
  const nothing = sql``;
  // Nobody here goes on with one that is left.
  const columns = leaves ? incidentColumns('moved') : stageColumns('moved');
  const { rows } = await db.prepared(sql<IncidentRow | StageRow>`
    with moved as (
      update incident set state = ${state}, version = version + 1, context = ${json(context)},
        updated_at = clock_timestamp(), closed_at = ${closedAt}${reopening ? reopened : nothing}${leaves ? sql`, job_id = null` : nothing}
      where id = ${incident.id} and version = ${incident.version} and ${provided}
        ${unlessWoken ? sql`and wake_seq = ${incident.wakeSeq}` : nothing}
      returning ${incidentColumns('incident')}
    )${events.length > 0 ? told : nothing}${messages.length > 0 ? said : nothing}${heard.length > 0 ? dropped : nothing}
    select ${columns} from moved`);
  return rows[0] ? toIncident(rows[0]) : null;
}
