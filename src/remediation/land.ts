import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import {
  type Context,
  type Incident,
  incidentName,
  isClosed,
  type Message,
  moveIncident,
  type NewEvent,
  type Outcome,
  type Signal,
  TRANSITIONS,
} from '../incident/index.ts';

const FAILURES_MAX = 5;

/** This worker's lease lapsed and somebody else has the incident: nothing of this worker may land any more. */
export class Fenced extends Error {}

/**
 * Writes what a stage returned: the move, the timeline and the messages in one statement, and the stage's own writes, for which there must be a
 * transaction. Gives the incident as it is then, or why nothing was written.
 * `moved`: another worker was there first, or may be by now, because this one does not hold it any more. `woken`: something was said meanwhile that the stage has not heard, so it must run again.
 * @throws Error on a transition that the table does not allow.
 */
export async function land(
  db: Database,
  incident: Incident,
  outcome: Outcome,
  {
    signals,
    leaves,
    held,
  }: {
    readonly signals: readonly Signal[];
    readonly leaves: boolean;
    /** That this worker's lease has not lapsed, in the words of SQL. */
    readonly held: RawBuilder<unknown>;
  },
): Promise<Incident | 'moved' | 'woken'> {
  const stays = outcome.state === incident.state;
  if (
    !(stays && (outcome.wait !== undefined || isClosed(outcome.state))) &&
    !TRANSITIONS[incident.state].includes(outcome.state)
  ) {
    throw new Error(`${incidentName(incident.id)}: ${incident.state} may not become ${outcome.state}`);
  }
  const context: Context = nextContext(incident, outcome);
  // Nor does anything act on what it has not heard: that it was folded under another meanwhile, or that its alert resolved.
  const unlessWoken = outcome.wait !== undefined || isClosed(outcome.state) || entersActing(incident, outcome);
  const heard = isClosed(outcome.state) ? signals : (outcome.heard ?? []);
  const told = withEnding(incident, outcome, context);
  const { state } = outcome;
  const move = { state, context, provided: held, unlessWoken, ...told, heard, leaves };
  const landed = await moveIncident(db, incident, move);
  if (landed === null) {
    const { rows } = await sql`
      select 1 from incident where id = ${incident.id} and version = ${incident.version} and ${held}`.execute(db.q);
    return rows.length > 0 ? 'woken' : 'moved';
  }
  await outcome.write?.();
  return landed;
}

function entersActing(incident: Incident, { state }: Outcome): boolean {
  return state === 'acting' && incident.state !== 'acting';
}

function nextContext(incident: Incident, outcome: Outcome): Context {
  if (incident.state === 'resolved' && outcome.state === 'received') {
    return {
      v: 1,
      attempt: 0,
      failures: 0,
      lateEvidence: [],
      triage: null,
      notes: [],
      diagnosis: null,
      checks: [],
      failingBefore: null,
      undoing: null,
      escalateTo: null,
      verification: null,
      escalation: null,
      held: null,
      flapping: false,
      investigatedFor: incident.context.investigatedFor,
    };
  }
  return { ...incident.context, failures: 0, ...outcome.context };
}

/** Entering a state that people must hear of says so in the timeline and in a message, wherever it was entered from. */
function withEnding(
  incident: Incident,
  outcome: Outcome,
  context: Context,
): { events: NewEvent[]; messages: Message[] } {
  const events = [...(outcome.events ?? [])];
  const messages = [...(outcome.messages ?? [])];
  if (outcome.state === incident.state) return { events, messages };
  const name = `${incidentName(incident.id)} ${incident.title}`;
  if (outcome.state === 'escalated') {
    const reason = context.escalation?.reason ?? 'a person is needed';
    const { escalateTo } = context;
    events.push({ type: 'incident.escalated', actor: 'nightshift', data: { reason, escalateTo } });
    messages.push({
      kind: 'escalated',
      text: `${name} needs a person${escalateTo ? ` (${escalateTo})` : ''}: ${reason}`,
    });
  }
  if (outcome.state === 'resolved') {
    const by = context.verification?.closedBy ?? 'nightshift';
    events.push({
      type: 'incident.resolved',
      actor: by,
      data: { attempts: context.attempt, seconds: Math.round((Date.now() - incident.openedAt.getTime()) / 1000) },
    });
    messages.push({ kind: 'resolved', text: `${name} is resolved` });
  }
  if (outcome.state === 'received' && isClosed(incident.state))
    events.push({ type: 'incident.reopened', actor: 'nightshift', data: { cycle: incident.cycle + 1 } });
  if (outcome.state === 'stopped') events.push({ type: 'incident.stopped', actor: 'nightshift', data: {} });
  return { events, messages };
}

/** What follows when a stage throws: the same stage again with a growing delay, and a person after five times. */
export function afterFailure(incident: Incident, error: unknown): Outcome {
  const failures = incident.context.failures + 1;
  const event: NewEvent = {
    type: 'stage.failed',
    actor: 'nightshift',
    data: { state: incident.state, failures, error: messageOf(error) },
  };
  const canEscalate = TRANSITIONS[incident.state].includes('escalated');
  if (failures >= FAILURES_MAX && canEscalate) {
    const escalation = {
      reason: `Nightshift failed ${failures} times while ${incident.state}: ${messageOf(error)}`,
      at: new Date().toISOString(),
    };
    return { state: 'escalated', context: { escalation, failures: 0 }, events: [event] };
  }
  const seconds = Math.min(60, 0.5 * 2 ** failures);
  return { state: incident.state, context: { failures }, events: [event], wait: { seconds } };
}
