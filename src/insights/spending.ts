import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { incidentName } from '../incident/index.ts';
import { dayOf } from './day.ts';

const COSTLIEST_MAX = 10;

/** What models have cost; US dollars, null where nobody knows a price. */
export interface Cost {
  readonly totalUsd: number;
  readonly perIncidentUsd: number | null;
  readonly byModel: readonly {
    readonly model: string;
    readonly calls: number;
    readonly usd: number | null;
    readonly tokens: number;
  }[];
  /** The costliest first, 10 at most. */
  readonly byIncident: readonly {
    readonly incident: string;
    readonly title: string;
    readonly calls: number;
    readonly usd: number;
    readonly tokens: number;
  }[];
}

const TOKENS = sql`coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)), 0)::float8`;

/** Gives what the model calls within a span have cost, where so many occurrences are in it. */
export async function costOf(db: Database, from: Date, to: Date, occurrences: number): Promise<Cost> {
  const { rows: models } = await sql<Cost['byModel'][number] & { ofIncidents: number }>`
    select model, count(*)::int as calls, sum(cost_usd)::float8 as usd, ${TOKENS} as tokens,
      coalesce(sum(cost_usd) filter (where incident_id is not null), 0)::float8 as "ofIncidents"
    from model_call where at >= ${from} and at < ${to} group by model order by usd desc nulls last, model`.execute(
    db.q,
  );
  const { rows: costliest } = await sql<Omit<Cost['byIncident'][number], 'incident'> & { id: number }>`
    select i.id, i.title, c.calls, c.usd, c.tokens from (
      select incident_id, count(*)::int as calls, sum(cost_usd)::float8 as usd, ${TOKENS} as tokens
      from model_call where at >= ${from} and at < ${to} and incident_id is not null
      group by incident_id having sum(cost_usd) > 0 order by usd desc, incident_id limit ${COSTLIEST_MAX}) as c
    join incident i on i.id = c.incident_id order by c.usd desc, i.id`.execute(db.q);
  const ofIncidentsUsd = models.reduce((sum, { ofIncidents }) => sum + ofIncidents, 0);
  return {
    totalUsd: models.reduce((sum, { usd }) => sum + (usd ?? 0), 0),
    perIncidentUsd: occurrences === 0 ? null : ofIncidentsUsd / occurrences,
    byModel: models.map(({ ofIncidents: _, ...model }) => model),
    byIncident: costliest.map(({ id, ...one }) => ({ incident: incidentName(Number(id)), ...one })),
  };
}

/** Gives what each day of a span has cost, by its day of UTC; a day without calls is not in it. */
export async function spentByDay(db: Database, from: Date, to: Date): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ day: string; usd: number }>`
    select ${dayOf(sql`at`)} as day, coalesce(sum(cost_usd), 0)::float8 as usd
    from model_call where at >= ${from} and at < ${to} group by 1`.execute(db.q);
  return new Map(rows.map(({ day, usd }) => [day, usd]));
}
