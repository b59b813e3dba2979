import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { dayOf, daysOf } from './day.ts';
import { type Noise, noiseOf, type Told } from './noise.ts';
import { occurrencesWithin } from './occurrences.ts';
import { OUTCOMES, type OutcomeName } from './outcome.ts';
import { type Percentiles, percentile } from './percentile.ts';
import { type Cost, costOf, spentByDay } from './spending.ts';

const ALERTS_MAX = 50;

export type Outcomes = Readonly<Record<OutcomeName, number>>;

/** Figures over some days; docs/insights.md defines each. */
export interface Insights {
  readonly from: Date;
  readonly to: Date;
  /** How many times an incident fired. */
  readonly incidents: number;
  readonly mtta: Percentiles;
  readonly mttr: Percentiles;
  readonly outcomes: Outcomes;
  /** The most frequent first, 50 at most. */
  readonly byAlert: readonly (Outcomes & {
    readonly alertname: string;
    readonly service: string | null;
    readonly incidents: number;
    readonly mttaP50: number | null;
    readonly mttrP50: number | null;
  })[];
  readonly approvalLatency: Percentiles & { readonly count: number };
  readonly cost: Cost;
  readonly noise: Noise;
  /** One for each day of UTC, the oldest first. */
  readonly trend: readonly {
    readonly day: string;
    readonly incidents: number;
    readonly healed: number;
    readonly escalated: number;
    readonly mttrP50: number | null;
    readonly approvalP50: number | null;
    /** Alerts that were delivered, and how many of them told nothing new. */
    readonly alerts: number;
    readonly repeated: number;
    readonly usd: number;
  }[];
}

const TTA = sql`extract(epoch from acted - began)::float8`;
const TTR = sql`extract(epoch from resolved - began)::float8`;
const COUNTS = sql.join(
  OUTCOMES.map((name) => sql`count(*) filter (where outcome = ${sql.lit(name)})::int as ${sql.ref(name)}`),
);

/** Gives the figures of the last `days` days, 1 to 365, up to now by the database's clock. */
export async function insightsOf(db: Database, days: number): Promise<Insights> {
  // A Date has no microseconds, and what happened just now counts.
  const to = new Date((await db.now()).getTime() + 1);
  const from = new Date(to.getTime() - days * 86_400_000);
  // One after the other: on the embedded database they would wait for each other anyhow, and nobody is waiting for a page.
  const { whole, byAlert, byDay, told } = await handled(db, from, to);
  const { incidents, ttaP50, ttaP95, ttrP50, ttrP95, ...outcomes } = whole;
  const latency = await approvalLatency(db, from, to);
  const { noise, byDay: noiseByDay } = await noiseOf(db, { from, to, told });
  const spent = await spentByDay(db, from, to);
  const ofDay = new Map(byDay.map((day) => [day.day, day]));
  return {
    from,
    to,
    incidents,
    mtta: { p50: ttaP50, p95: ttaP95 },
    mttr: { p50: ttrP50, p95: ttrP95 },
    outcomes,
    byAlert,
    approvalLatency: latency.whole,
    cost: await costOf(db, from, to, incidents),
    noise,
    trend: daysOf(from, to).map((day) => ({
      ...(ofDay.get(day) ?? { incidents: 0, healed: 0, escalated: 0, mttrP50: null }),
      day,
      approvalP50: latency.byDay.get(day) ?? null,
      ...(noiseByDay.get(day) ?? { alerts: 0, repeated: 0 }),
      usd: spent.get(day) ?? 0,
    })),
  };
}

type Whole = Outcomes & {
  incidents: number;
  ttaP50: number | null;
  ttaP95: number | null;
  ttrP50: number | null;
  ttrP95: number | null;
};
type Day = { day: string; incidents: number; healed: number; escalated: number; mttrP50: number | null };

/** What was done about incidents, all of it of one reading of the timelines. */
async function handled(db: Database, from: Date, to: Date) {
  const { rows } = await sql<{
    whole: Whole;
    byAlert: Insights['byAlert'] | null;
    byDay: Day[] | null;
    told: Told[] | null;
  }>`
    with ${occurrencesWithin(from, to)}
    select
      (select to_jsonb(w) from (select count(*)::int as incidents, ${COUNTS}, ${percentile(0.5, TTA)} as "ttaP50", ${percentile(0.95, TTA)} as "ttaP95",
        ${percentile(0.5, TTR)} as "ttrP50", ${percentile(0.95, TTR)} as "ttrP95" from occurrence) as w) as whole,
      (select jsonb_agg(to_jsonb(a)) from (select alertname, service, count(*)::int as incidents, ${COUNTS}, ${percentile(0.5, TTA)} as "mttaP50",
        ${percentile(0.5, TTR)} as "mttrP50"
        from occurrence group by alertname, service order by incidents desc, alertname, service limit ${ALERTS_MAX}) as a) as "byAlert",
      (select jsonb_agg(to_jsonb(d)) from (select ${dayOf(sql`began`)} as day, count(*)::int as incidents,
        count(*) filter (where outcome in ('healedAlone', 'healedAfterApproval'))::int as healed, count(*) filter (where handed)::int as escalated,
        ${percentile(0.5, TTR)} as "mttrP50" from occurrence group by 1) as d) as "byDay",
      (select jsonb_agg(to_jsonb(t)) from (select ${dayOf(sql`at`)} as day,
        count(*) filter (where type in ('alert.firing', 'alert.resolved'))::int as news,
        count(*) filter (where type = 'incident.shed')::int as shed, count(*) filter (where type = 'incident.flapping')::int as flapping
        from mark where at >= ${from} and at < ${to} group by 1) as t) as told`.execute(db.q);
  const { whole, byAlert, byDay, told } = rows[0] as (typeof rows)[number];
  return { whole, byAlert: byAlert ?? [], byDay: byDay ?? [], told: told ?? [] };
}

/** From when people were asked until they said yes or no, on the day on which they were; what expired or was not needed any more is none of it. */
async function approvalLatency(db: Database, from: Date, to: Date) {
  const waited = sql`extract(epoch from decided_at - created_at)::float8`;
  const { rows } = await sql<Insights['approvalLatency'] & { day: string | null }>`
    select ${dayOf(sql`created_at`)} as day, count(*)::int as count, ${percentile(0.5, waited)} as p50, ${percentile(0.95, waited)} as p95
    from approval where created_at >= ${from} and created_at < ${to} and status in ('approved', 'denied') and decided_at is not null
    group by grouping sets ((), (1))`.execute(db.q);
  const { p50 = null, p95 = null, count = 0 } = rows.find(({ day }) => day === null) ?? {};
  return { whole: { p50, p95, count }, byDay: new Map(rows.map((one) => [one.day, one.p50])) };
}
