import { inDollars } from '../config/index.ts';
import { duration } from './markdown.ts';
import { lastOccurrence } from './occurrence.ts';
import type { Course } from './outcome.ts';
import type { Story } from './story.ts';

/** One measure of how an incident was handled, for people. */
export interface Figure {
  readonly name: string;
  readonly value: string;
}

/** Gives the measures of how an incident was handled, each from its timeline. */
export function figuresOf({ incident, alerts, events, actions, approvals, costUsd }: Story, course: Course): Figure[] {
  const { heardAt, actedAt, resolvedAt } = course;
  const own = lastOccurrence(events);
  const count = (type: string) => own.filter((event) => event.type === type).length;
  const began = Math.min(...alerts.map(({ startsAt }) => startsAt.getTime()));
  const since = (at: Date | null) => (heardAt === null || at === null ? 'not yet' : duration(between(heardAt, at)));
  const ofCycle = actions.filter(({ cycle }) => cycle === incident.cycle);
  const ids = new Set(ofCycle.map(({ id }) => id));
  const asked = approvals.filter(({ actionId }) => ids.has(actionId));
  const answered = asked.flatMap(({ createdAt, decidedAt, votes }) =>
    votes.length > 0 && decidedAt ? [between(createdAt, decidedAt)] : [],
  );
  const ran = ofCycle.filter(({ sentAt, undoOf }) => sentAt !== null && undoOf === null);
  return [
    ...(heardAt && Number.isFinite(began) && began <= heardAt.getTime()
      ? [
          {
            name: 'time to detect (from when the alert began, as its sender says)',
            value: duration(between(new Date(began), heardAt)),
          },
        ]
      : []),
    {
      name: 'time to act (until something was sent, a person was asked, or it was handed over)',
      value: since(actedAt),
    },
    { name: 'time to resolve', value: since(resolvedAt) },
    ...(asked.length > 0
      ? [
          { name: 'people were asked', value: times(asked.length) },
          {
            name: 'they answered within',
            value: answered.length > 0 ? answered.map(duration).join(', ') : 'nobody answered',
          },
        ]
      : []),
    { name: 'remedies that ran', value: String(ran.length) },
    { name: 'of them healed', value: String(ran.filter(({ effect }) => effect === 'healed').length) },
    {
      name: 'taken back',
      value: String(ofCycle.filter(({ sentAt, undoOf }) => sentAt !== null && undoOf !== null).length),
    },
    {
      name: 'looks that found it not recovered',
      value: String(count('verification.unchanged') + count('verification.worse')),
    },
    { name: 'handed over to a person', value: times(count('incident.escalated')) },
    { name: 'failures of Nightshift itself', value: String(count('stage.failed') + count('model.failed')) },
    { name: 'models cost', value: inDollars(costUsd) },
  ];
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function between(from: Date, to: Date): number {
  return (to.getTime() - from.getTime()) / 1000;
}
