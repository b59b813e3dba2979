import type { Alert } from '../alert/index.ts';
import type { Context, Incident, State } from './incident.ts';

/** An alert as kept, with when its sender last said so. */
export interface StoredAlert extends Alert {
  readonly receivedAt: Date;
}

/** One line of the timeline before it is written. */
export interface NewEvent {
  readonly type: string;
  /** Who did it: `nightshift`, `alertmanager`, or the name of the person's token. */
  readonly actor: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A word from outside that a waiting incident must hear. */
export interface Signal {
  readonly id: number;
  readonly kind: 'fired' | 'resolved' | 'close' | 'ask_again' | 'stop';
  readonly by: string;
}

/** Calls `run` once for a key and keeps what it returned: after a crash the stored result is given instead. */
export type Journal = <T>(key: string, run: () => Promise<T>) => Promise<T>;

/** All that a stage is given: the committed incident, its alerts, what was said to it, and when to give up. */
export interface Work {
  readonly incident: Incident;
  readonly alerts: readonly StoredAlert[];
  readonly signals: readonly Signal[];
  readonly journal: Journal;
  readonly abort: AbortSignal;
  /**
   * Called inside the transaction that precedes an outside effect: throws unless this worker still holds the incident, and
   * tells whether nothing was said to it since it was loaded.
   */
  readonly assertHeld: () => Promise<boolean>;
}

/** A message for people, sent from the outbox once the stage has landed. */
export interface Message {
  readonly kind: 'escalated' | 'approval_requested' | 'resolved' | 'worse';
  readonly text: string;
}

/** What a stage wants committed, all of it in one transaction or none of it. */
export interface Outcome {
  readonly state: State;
  readonly context?: Partial<Context>;
  readonly events?: readonly NewEvent[];
  readonly messages?: readonly Message[];
  /** The words that this stage acted upon; the others stay for a later one. */
  readonly heard?: readonly Signal[];
  /** Further writes of the stage's own tables, inside the same transaction. */
  readonly write?: () => Promise<void>;
  /** Set when the incident now waits; in any case no longer than until something is said to it. */
  readonly wait?: Wait;
}

/**
 * How long an incident waits: until a moment that the database has given, (null) for as long as nothing is said to it, or so many seconds. A moment
 * by this process's clock is none of them: its clock may be wrong, and each replica's differently.
 */
export type Wait = { readonly until: Date | null } | { readonly seconds: number };

export type Stage = (work: Work) => Promise<Outcome>;

/** Tells whether any alert of the incident is still firing. */
export function isFiring(alerts: readonly Alert[]): boolean {
  return alerts.some((alert) => alert.status === 'firing');
}

/** Gives the start of a verification, because the alert resolved or a person said that it is over. */
export function beginVerification(after: 'alert' | 'person', closedBy: string | null = null): Outcome {
  const verification = { after, startedAt: null, outcomeUnknown: false, patient: true, checksPassedAt: null, closedBy };
  const event = { type: 'verification.started', actor: closedBy ?? 'nightshift', data: { after } };
  return { state: 'verifying', context: { verification }, events: [event] };
}

/** Gives the hand-over to a person, with the reason that they are told. */
export function escalate(reason: string): Outcome & { readonly context: Partial<Context> } {
  return { state: 'escalated', context: { escalation: { reason, at: new Date().toISOString() } } };
}
