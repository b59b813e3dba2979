import type { Alert } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { lockOpenings } from '../incident/index.ts';
import type { Delivery, ReadAlert } from './delivery.ts';

/** A delivery of which every alert has a start. */
export type Settled = Delivery & { readonly alerts: readonly Alert[] };

/**
 * Finds out when alerts began whose senders do not say it, in the current transaction: when the firing one with the same source and
 * fingerprint did, also where that came in the same batch, or else now. Without this, an end would never match its beginning.
 */
export async function settleStarts(db: Database, deliveries: readonly Delivery[]): Promise<Settled[]> {
  const without = deliveries.flatMap(({ alerts }) => alerts.filter(({ startsAt }) => startsAt === null));
  if (without.length === 0) return deliveries as Settled[];
  // What another transaction is just writing must be seen.
  await lockOpenings(db);
  const known = await startsOf(db, without);
  const now = await db.now();
  return deliveries.map((delivery) => ({
    ...delivery,
    alerts: delivery.alerts.map((alert): Alert => {
      const { startsAt } = alert;
      if (startsAt !== null) return { ...alert, startsAt };
      const key = keyOf(alert.source, alert.fingerprint);
      const start = known.get(key) ?? delivery.occurredAt ?? now;
      if (alert.status === 'firing') known.set(key, start);
      else known.delete(key);
      return { ...alert, startsAt: start };
    }),
  }));
}

async function startsOf(db: Database, alerts: readonly ReadAlert[]): Promise<Map<string, Date>> {
  const rows = await db.q
    .selectFrom('alert')
    .select(['source', 'fingerprint', 'starts_at'])
    .where('source', 'in', [...new Set(alerts.map(({ source }) => source))])
    .where('fingerprint', 'in', [...new Set(alerts.map(({ fingerprint }) => fingerprint))])
    .where('status', '=', 'firing')
    .orderBy('starts_at')
    .execute();
  return new Map(rows.map(({ source, fingerprint, starts_at: startsAt }) => [keyOf(source, fingerprint), startsAt]));
}

function keyOf(source: string, fingerprint: string): string {
  return `${source}\0${fingerprint}`;
}
