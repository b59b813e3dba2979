import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { occurrencesWithin } from './occurrences.ts';
import { OUTCOMES, type OutcomeName } from './outcome.ts';

const ALERTS_MAX = 50;

/** Seconds; null where there is nothing to measure. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
}

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
    readonly mttrP50: number | null;
  })[];
  readonly approvalLatency: Percentiles & { readonly count: number };
  readonly cost: {
    readonly totalUsd: number;
    readonly perIncidentUsd: number | null;
    readonly byModel: readonly {
      readonly model: string;
      readonly calls: number;
      /** Null where nobody knows a price. */
      readonly usd: number | null;
      readonly tokens: number;
    }[];
  };
  readonly noise: {
    readonly deliveries: number;
    readonly alerts: number;
    readonly repeated: number;
    readonly incidents: number;
    readonly folded: number;
    readonly shed: number;
    readonly flapping: number;
  };
  /** One for each day of UTC, the oldest first. */
  readonly trend: readonly {
    readonly day: string;
    readonly incidents: number;
    readonly healed: number;
    readonly escalated: number;
    readonly mttrP50: number | null;
    readonly usd: number;
  }[];
}

const TTA = sql`extract(epoch from acted - began)::float8`;
const TTR = sql`extract(epoch from resolved - began)::float8`;
const COUNTS = sql.join(
  OUTCOMES.map((name) => sql`count(*) filter (where outcome = ${sql.lit(name)})::int as ${sql.ref(name)}`),
);

function percentile(share: number, of: RawBuilder<unknown>): RawBuilder<number | null> {
  return sql<number | null>`percentile_cont(${sql.lit(share)}) within group (order by ${of})`;
}

/** Gives the figures of the last `days` days, 1 to 365, up to now by the database's clock. */
export async function insightsOf(db: Database, days: number): Promise<Insights> {
  // A Date has no microseconds, and what happened just now counts.
  const to = new Date((await db.now()).getTime() + 1);
  const from = new Date(to.getTime() - days * 86_400_000);
  // One after the other: on the embedded database they would wait for each other anyhow, and nobody is waiting for a page.
  const { whole, byAlert, byDay, told } = await handled(db, from, to);
  const cost = await costOf(db, from, to);
  const { incidents, ttaP50, ttaP95, ttrP50, ttrP95, ...outcomes } = whole;
  return {
    from,
    to,
    incidents,
    mtta: { p50: ttaP50, p95: ttaP95 },
    mttr: { p50: ttrP50, p95: ttrP95 },
    outcomes,
    byAlert,
    approvalLatency: await approvalLatency(db, from, to),
    cost: {
      totalUsd: cost.totalUsd,
      perIncidentUsd: incidents === 0 ? null : cost.ofIncidentsUsd / incidents,
      byModel: cost.byModel,
    },
    noise: await noise(db, { from, to, told }),
    trend: await trend(db, { from, to, byDay }),
  };
}

type Whole = Outcomes & {
  incidents: number;
  ttaP50: number | null;
  ttaP95: number | null;
  ttrP50: number | null;
  ttrP95: number | null;
};
type Told = { news: number; shed: number; flapping: number };
type Day = { day: string; incidents: number; healed: number; escalated: number; mttrP50: number | null };

/** What was done about incidents, all of it of one reading of the timelines. */
async function handled(db: Database, from: Date, to: Date) {
  const { rows } = await sql<{ whole: Whole; byAlert: Insights['byAlert'] | null; byDay: Day[] | null; told: Told }>`
    with ${occurrencesWithin(from, to)}
    select
      (select to_jsonb(w) from (select count(*)::int as incidents, ${COUNTS}, ${percentile(0.5, TTA)} as "ttaP50", ${percentile(0.95, TTA)} as "ttaP95",
        ${percentile(0.5, TTR)} as "ttrP50", ${percentile(0.95, TTR)} as "ttrP95" from occurrence) as w) as whole,
      (select jsonb_agg(to_jsonb(a)) from (select alertname, service, count(*)::int as incidents, ${COUNTS}, ${percentile(0.5, TTR)} as "mttrP50"
        from occurrence group by alertname, service order by incidents desc, alertname, service limit ${ALERTS_MAX}) as a) as "byAlert",
      (select jsonb_agg(to_jsonb(d)) from (select ${dayOf(sql`began`)} as day, count(*)::int as incidents,
        count(*) filter (where outcome in ('healedAlone', 'healedAfterApproval'))::int as healed, count(*) filter (where handed)::int as escalated,
        ${percentile(0.5, TTR)} as "mttrP50" from occurrence group by 1) as d) as "byDay",
      (select to_jsonb(t) from (select count(*) filter (where type in ('alert.firing', 'alert.resolved'))::int as news,
        count(*) filter (where type = 'incident.shed')::int as shed, count(*) filter (where type = 'incident.flapping')::int as flapping
        from mark where at >= ${from} and at < ${to}) as t) as told`.execute(db.q);
  const { whole, byAlert, byDay, told } = rows[0] as (typeof rows)[number];
  return { whole, byAlert: byAlert ?? [], byDay: byDay ?? [], told };
}

function dayOf(at: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`to_char(${at} at time zone 'UTC', 'YYYY-MM-DD')`;
}

/** From when people were asked until they said yes or no; what expired or was not needed any more is none of it. */
async function approvalLatency(db: Database, from: Date, to: Date): Promise<Insights['approvalLatency']> {
  const waited = sql`extract(epoch from decided_at - created_at)::float8`;
  const { rows } = await sql<Insights['approvalLatency']>`
    select count(*)::int as count, ${percentile(0.5, waited)} as p50, ${percentile(0.95, waited)} as p95
    from approval where created_at >= ${from} and created_at < ${to} and status in ('approved', 'denied') and decided_at is not null`.execute(
    db.q,
  );
  const { p50 = null, p95 = null, count = 0 } = rows[0] ?? {};
  return { p50, p95, count };
}

async function costOf(db: Database, from: Date, to: Date) {
  const { rows } = await sql<{ model: string; calls: number; usd: number | null; tokens: number; ofIncidents: number }>`
    select model, count(*)::int as calls, sum(cost_usd)::float8 as usd,
      coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)), 0)::float8 as tokens,
      coalesce(sum(cost_usd) filter (where incident_id is not null), 0)::float8 as "ofIncidents"
    from model_call where at >= ${from} and at < ${to} group by model order by usd desc nulls last, model`.execute(
    db.q,
  );
  return {
    totalUsd: rows.reduce((sum, { usd }) => sum + (usd ?? 0), 0),
    ofIncidentsUsd: rows.reduce((sum, { ofIncidents }) => sum + ofIncidents, 0),
    byModel: rows.map(({ model, calls, usd, tokens }) => ({ model, calls, usd, tokens })),
  };
}

async function noise(
  db: Database,
  { from, to, told }: { from: Date; to: Date; told: Told },
): Promise<Insights['noise']> {
  const { rows } = await sql<Omit<Insights['noise'], 'repeated' | 'shed' | 'flapping'>>`
    select d.deliveries, d.alerts, i.incidents, i.folded
    from (select count(*)::int as deliveries, coalesce(sum(alerts), 0)::int as alerts from delivery
        where received_at >= ${from} and received_at < ${to}) as d,
      (select count(*)::int as incidents, count(*) filter (where parent_id is not null)::int as folded from incident
        where opened_at >= ${from} and opened_at < ${to} and correlation_key not like 'manual-%') as i`.execute(db.q);
  const { deliveries, alerts, incidents, folded } = rows[0] as (typeof rows)[number];
  const { news, shed, flapping } = told;
  return { deliveries, alerts, repeated: Math.max(0, alerts - news), incidents, folded, shed, flapping };
}

async function trend(
  db: Database,
  { from, to, byDay }: { from: Date; to: Date; byDay: readonly Day[] },
): Promise<Insights['trend']> {
  const { rows } = await sql<{ day: string; usd: number }>`
    select ${dayOf(sql`at`)} as day, coalesce(sum(cost_usd), 0)::float8 as usd
    from model_call where at >= ${from} and at < ${to} group by 1`.execute(db.q);
  const spent = new Map(rows.map(({ day, usd }) => [day, usd]));
  const known = new Map(byDay.map((day) => [day.day, day]));
  const none = { incidents: 0, healed: 0, escalated: 0, mttrP50: null };
  return daysOf(from, to).map((day) => ({ ...(known.get(day) ?? none), day, usd: spent.get(day) ?? 0 }));
}

function daysOf(from: Date, to: Date): string[] {
  const days: string[] = [];
  for (let at = Date.parse(from.toISOString().slice(0, 10)); at <= to.getTime(); at += 86_400_000)
    days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}
