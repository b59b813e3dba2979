import type { State, StoredEvent } from '../incident/index.ts';
import { lastOccurrence } from './occurrence.ts';

/** How an incident ended, or who has it. docs/insights.md says what each means. */
export const OUTCOMES = [
  'healedAlone',
  'healedAfterApproval',
  'healedByPeople',
  'resolvedByItself',
  'escalated',
  'stopped',
  'open',
] as const;
export type OutcomeName = (typeof OUTCOMES)[number];

/** The first of these says when somebody began to do something about it. */
export const ACTING_TYPES = ['action.started', 'approval.requested', 'incident.escalated'] as const;

/** The moments of the last time that an incident fired, as its timeline has them. */
export interface Course {
  /** When Nightshift heard of it first. */
  readonly heardAt: Date | null;
  /** When an action was sent, a person was asked or the incident was handed over, whichever came first. */
  readonly actedAt: Date | null;
  readonly resolvedAt: Date | null;
  readonly outcome: OutcomeName;
}

/** Reads the course of an incident from its timeline and its state: of the last time that it fired, if it did so more than once. */
export function courseOf(state: State, events: readonly StoredEvent[]): Course {
  const own = lastOccurrence(events);
  const first = (...types: readonly string[]) => own.find(({ type }) => types.includes(type)) ?? null;
  const last = (type: string) => own.findLast((event) => event.type === type) ?? null;
  const resolved = first('incident.resolved');
  return {
    heardAt: (first('alert.firing') ?? first('incident.opened'))?.at ?? null,
    actedAt: first(...ACTING_TYPES)?.at ?? null,
    resolvedAt: resolved?.at ?? null,
    outcome: resolved === null ? standing() : ending(resolved.actor),
  };

  function standing(): OutcomeName {
    return state === 'stopped' || state === 'escalated' ? state : 'open';
  }

  function ending(by: string): OutcomeName {
    const succeeded = last('action.succeeded');
    const escalated = last('incident.escalated');
    if (by !== 'nightshift' || (escalated?.id ?? 0) > (succeeded?.id ?? 0)) return 'healedByPeople';
    if (succeeded === null) return 'resolvedByItself';
    const asked = own.some(({ type, data }) => type === 'action.started' && data.approval !== undefined);
    return asked ? 'healedAfterApproval' : 'healedAlone';
  }
}
