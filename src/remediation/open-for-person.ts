import { type Database, json } from '../database/index.ts';
import { BY_HAND, type Opening, openIncident } from '../incident/index.ts';
import { shortId } from '../planning/index.ts';

/** What differs between the incidents that people open. */
export type ForPerson = Pick<Opening, 'state' | 'title' | 'severity' | 'labels' | 'context'> & {
  /** What the alert says that stands for their wish. */
  readonly summary: string;
  readonly by: string;
  readonly via: string;
};

/** Opens an incident for what a person wants, with an alert that stands for their wish, in the current transaction; gives its number. */
export async function openForPerson(db: Database, { summary, by, via, ...opening }: ForPerson): Promise<number> {
  const incidentId = await openIncident(db, {
    ...opening,
    keptApart: true,
    correlationKey: shortId('manual-'),
    because: `${by} asked for it (${via})`,
    actor: by,
  });
  await db.q
    .insertInto('alert')
    .values({
      incident_id: incidentId,
      cycle: 1,
      source: BY_HAND,
      fingerprint: shortId(''),
      status: 'firing',
      labels: json(opening.labels),
      annotations: json({ summary }),
      starts_at: new Date(),
    })
    .execute();
  return incidentId;
}
