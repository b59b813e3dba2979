import type { Database } from '../database/index.ts';
import {
  addEvents,
  addEventsOf,
  addMessages,
  incidentName,
  keySha256,
  lockOpenings,
  openIncident,
} from '../incident/index.ts';
import type { Delivery } from './delivery.ts';

const PROBLEMS_SHOWN = 3;

/**
 * Says in the timeline, in the current transaction, which deliveries could not be used in whole, and opens one incident for each source
 * of them that has none: somebody's alerts do not arrive, and nobody else would notice.
 */
export async function reportRefusals(db: Database, deliveries: readonly Delivery[]): Promise<void> {
  const refused = deliveries.filter(({ problems }) => problems.length > 0);
  if (refused.length > 0) await lockOpenings(db);
  for (const [source, all] of Map.groupBy(refused, (delivery) => delivery.source)) {
    const incidentId = (await openOne(db, source)) ?? (await open(db, source, all[0] as Delivery));
    await addEventsOf(
      db,
      all.map(({ alerts, problems }) => ({
        incidentId,
        type: 'delivery.refused',
        actor: source,
        data: { source, accepted: alerts.length, problems },
      })),
    );
  }
}

const keyOf = (source: string) => keySha256(JSON.stringify(['delivery refused', source]));

async function openOne(db: Database, source: string): Promise<number | null> {
  const row = await db.q
    .selectFrom('incident')
    .select('id')
    .where('correlation_key', '=', keyOf(source))
    .where('closed_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  return row?.id ?? null;
}

/** Only a person can mend what a sender sends, so it begins where people are asked. */
async function open(db: Database, source: string, { problems }: Delivery): Promise<number> {
  const shown = problems.slice(0, PROBLEMS_SHOWN).map(({ field, message }) => `${field} ${message}`);
  const reason = `${source} sends what cannot be used: ${shown.join('; ')}`;
  const title = `DeliveryRefused (${source})`;
  const id = await openIncident(db, {
    state: 'escalated',
    correlationKey: keyOf(source),
    title,
    severity: 'warning',
    labels: { alertname: 'DeliveryRefused', source },
    context: { v: 1, escalation: { reason, at: new Date().toISOString() } },
    because: `nothing else is open about what ${source} sends`,
    actor: 'nightshift',
  });
  await addEvents(db, id, [{ type: 'incident.escalated', actor: 'nightshift', data: { reason, escalateTo: null } }]);
  await addMessages(db, id, [{ kind: 'escalated', text: `${incidentName(id)} ${title} needs a person: ${reason}` }]);
  return id;
}
