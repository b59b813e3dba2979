import { type Incident, isClosed, plain, type StoredEvent } from '../incident/index.ts';

/** A call that PagerDuty should have had about one of its incidents; `purpose` tells it from every other about the same one. */
export interface Wanted {
  readonly purpose: string;
  readonly kind: 'acknowledge' | 'note' | 'escalate' | 'resolve';
  readonly words: string;
}

export interface Told {
  readonly incident: Incident;
  /** The incident's whole timeline, oldest first. */
  readonly events: readonly StoredEvent[];
  /** Where people find the incident; null where nobody said how they reach this server. */
  readonly link: string | null;
}

/**
 * Gives what PagerDuty should have been told of an incident by now.
 *
 * It is acknowledged once Nightshift works on it and may mend it. In the mode `observe` it may not: there notes are all that is
 * written, and the pager goes on as if Nightshift were not there. An incident that a person has, or that is over, is not
 * acknowledged any more, so that a late acknowledgement cannot silence the page that an escalation just sent.
 */
export function wantedCalls({ incident, events, link }: Told): Wanted[] {
  const { id, state, cycle, context } = incident;
  const now = eventsOfCycle(events);
  const mode = now.findLast(({ type }) => type === 'triage.done')?.data.mode;
  const mayMend = mode === 'ask' || mode === 'auto';
  const wanted: Wanted[] = [];
  const add = (kind: Wanted['kind'], purpose: string, ...lines: (string | null)[]) =>
    wanted.push({
      kind,
      purpose: `${id}:${cycle}:${purpose}`,
      words: lines.filter((line) => line !== null).join('\n'),
    });

  if (mayMend && state !== 'received' && state !== 'escalated' && !isClosed(state)) add('acknowledge', 'acknowledge');
  const { diagnosis } = context;
  if (diagnosis && mode !== undefined) {
    const doubt = diagnosis.inconclusive ? ', inconclusive' : '';
    add(
      'note',
      'diagnosis',
      `Diagnosis (confidence ${diagnosis.confidence}${doubt}): ${plain(diagnosis.rootCause)}`,
      link,
    );
  }
  for (const event of now.filter(({ type }) => type === 'incident.escalated')) {
    const reason = plain(String(event.data.reason ?? 'a person is needed'));
    add('note', `escalated:${event.id}`, `Needs a person: ${reason}`, link);
    // An older one has had its effect, or has lost its use.
    if (mayMend && state === 'escalated' && event === now.findLast(({ type }) => type === 'incident.escalated'))
      add('escalate', `escalate:${event.id}`, reason);
  }
  if (state === 'stopped')
    add('note', 'stopped', 'A person stopped Nightshift here; it does nothing more about this.', link);
  if (state === 'resolved') {
    const event = now.findLast(({ type }) => type === 'incident.resolved');
    const [actor, attempts] = [event?.actor ?? 'nightshift', Number(event?.data.attempts ?? 0)];
    const who = actor === 'nightshift' ? 'Nightshift' : `Nightshift, on the word of ${plain(actor)}`;
    add('resolve', 'resolve', `Resolved by ${who} after ${attempts} attempt(s); the checks pass.`);
  }
  return wanted;
}

/** What was said since the incident was opened, or last opened again. */
function eventsOfCycle(events: readonly StoredEvent[]): readonly StoredEvent[] {
  return events.slice(
    Math.max(
      0,
      events.findLastIndex(({ type }) => type === 'incident.reopened'),
    ),
  );
}
