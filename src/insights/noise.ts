import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { dayOf } from './day.ts';

/** How much was heard, and how little of it was news. */
export interface Noise {
  readonly deliveries: number;
  readonly alerts: number;
  readonly repeated: number;
  readonly incidents: number;
  readonly folded: number;
  readonly shed: number;
  readonly flapping: number;
}

/** What the timelines say of one day of UTC. */
export interface Told {
  readonly day: string;
  /** Alerts that said something new. */
  readonly news: number;
  readonly shed: number;
  readonly flapping: number;
}

/** Gives the noise of a span, and of each of its days how many alerts were delivered and how many of them were repeated. */
export async function noiseOf(
  db: Database,
  { from, to, told }: { readonly from: Date; readonly to: Date; readonly told: readonly Told[] },
) {
  const { rows: heard } = await sql<{ day: string; deliveries: number; alerts: number }>`
    select ${dayOf(sql`received_at`)} as day, count(*)::int as deliveries, coalesce(sum(alerts), 0)::int as alerts
    from delivery where received_at >= ${from} and received_at < ${to} group by 1`.execute(db.q);
  const { rows } = await sql<Pick<Noise, 'incidents' | 'folded'>>`
    select count(*)::int as incidents, count(*) filter (where parent_id is not null)::int as folded from incident
    where opened_at >= ${from} and opened_at < ${to} and correlation_key not like 'manual-%'`.execute(db.q);
  const { incidents, folded } = rows[0] as (typeof rows)[number];
  const alerts = total(heard, 'alerts');
  const noise: Noise = {
    deliveries: total(heard, 'deliveries'),
    alerts,
    repeated: Math.max(0, alerts - total(told, 'news')),
    incidents,
    folded,
    shed: total(told, 'shed'),
    flapping: total(told, 'flapping'),
  };
  const newsOf = new Map(told.map(({ day, news }) => [day, news]));
  const repeatedOf = (day: string, of: number) => Math.max(0, of - (newsOf.get(day) ?? 0));
  const byDay = new Map(heard.map(({ day, alerts: of }) => [day, { alerts: of, repeated: repeatedOf(day, of) }]));
  return { noise, byDay };
}

function total<K extends string>(rows: readonly Readonly<Record<K, number>>[], key: K): number {
  return rows.reduce((sum, row) => sum + row[key], 0);
}
