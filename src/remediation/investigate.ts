import type { Labels } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { addEvents, plain } from '../incident/index.ts';
import { openForPerson } from './open-for-person.ts';

/** What a person wants looked into. */
export interface Investigation {
  /** What is the matter, in their words. */
  readonly text: string;
  /** They stand for the labels of an alert: they choose runbooks, service and instances. */
  readonly labels: Labels;
  readonly by: string;
  readonly via: string;
}

const NAME_MAX = 128;

/**
 * Opens an incident for what a person wants looked into, in the current transaction; gives its number. It is worked on like any other,
 * except that every change it leads to counts as asked for by this person: it is asked, and they cannot approve it themselves.
 */
export async function openInvestigation(db: Database, { text, labels, by, via }: Investigation): Promise<number> {
  const alertLabels = { ...labels, alertname: labels.alertname || plain(text).slice(0, NAME_MAX) };
  const incidentId = await openForPerson(db, {
    state: 'received',
    title: text,
    severity: labels.severity ?? 'unknown',
    labels: alertLabels,
    context: { v: 1, investigatedFor: by },
    summary: text,
    by,
    via,
  });
  await addEvents(db, incidentId, [
    { type: 'investigation.asked', actor: by, data: { text, labels: alertLabels, via } },
  ]);
  return incidentId;
}
