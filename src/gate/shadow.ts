import { sql } from 'kysely';
import type { Database } from '../database/index.ts';

/** How often people did what Nightshift would have done where it only observes. */
export interface ShadowReport {
  readonly tools: readonly ShadowLine[];
  /** Incidents in which something was proposed. */
  readonly incidents: number;
}

interface ShadowLine {
  readonly tool: string;
  readonly proposed: number;
  /** What the people who closed those incidents said that they did. */
  readonly same: number;
  readonly other: number;
  readonly nothing: number;
  readonly unsaid: number;
}

/**
 * Counts, for each tool that `observe` kept from running, what the person who closed the incident said they did instead
 * (`nightshift close INC-7 --did same`); the last word about a cycle counts.
 */
export async function shadowReport(db: Database): Promise<ShadowReport> {
  const { rows } = await sql<ShadowLine & { incidents: number[] }>`
    with proposed as (
      select a.tool, a.incident_id, a.cycle, a.created_at,
        lead(a.created_at) over (partition by a.incident_id, a.tool order by a.created_at) as until
      from action a
      where a.ordinal = 1 and exists (
        select from jsonb_array_elements(a.decision -> 'spoke') as spoke where spoke ->> 'rule' = 'mode-observe')
    ), told as (
      select p.tool, p.incident_id, (
        select e.data ->> 'did' from event e
        where e.incident_id = p.incident_id and e.type = 'person.close' and e.at >= p.created_at
          and (p.until is null or e.at < p.until) and e.data ? 'did'
        order by e.id desc limit 1) as did
      from proposed p
    )
    select tool, count(*)::integer as proposed,
      count(*) filter (where did = 'same')::integer as same,
      count(*) filter (where did = 'other')::integer as other,
      count(*) filter (where did = 'nothing')::integer as nothing,
      count(*) filter (where did is null)::integer as unsaid,
      array_agg(distinct incident_id) as incidents
    from told group by tool order by proposed desc, tool`.execute(db.q);
  return {
    tools: rows.map(({ incidents: _incidents, ...line }) => line),
    incidents: new Set(rows.flatMap(({ incidents }) => incidents.map(String))).size,
  };
}
