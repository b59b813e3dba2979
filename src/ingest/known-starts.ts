import type { Alert } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import type { ReadAlert } from './read-alerts.ts';

/** Gives every alert a start. */
export type SettleStarts = (alerts: readonly ReadAlert[], otherwise: Date) => Promise<Alert[]>;

/**
 * Makes what finds out when an alert began whose sender does not say it: when the firing one with its source and fingerprint did, or
 * else `otherwise`. Without this, its end would never match its beginning.
 */
export function createSettleStarts(db: Database): SettleStarts {
  return async (alerts, otherwise) => {
    const without = alerts.filter(({ startsAt }) => startsAt === null);
    const known = without.length === 0 ? new Map<string, Date>() : await startsOf(db, without);
    return alerts.map((alert) => ({
      ...alert,
      startsAt: alert.startsAt ?? known.get(keyOf(alert.source, alert.fingerprint)) ?? otherwise,
    }));
  };
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
  return new Map(rows.map(({ source, fingerprint, starts_at }) => [keyOf(source, fingerprint), starts_at]));
}

function keyOf(source: string, fingerprint: string): string {
  return `${source}\0${fingerprint}`;
}
