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
 * (`nightshift close INC-7 --did same`). An incident counts once for each cycle and tool, by the first step of a remedy, and the last
 * word about a cycle counts. What a person asked for by hand was no proposal of Nightshift.
 */
export async function shadowReport(db: Database): Promise<ShadowReport> {
  const { rows } = await sql<ShadowLine & { incidents: number }>`
    with proposed as (
      select a.tool, a.incident_id, min(a.created_at) as since
      from action a
      where a.ordinal = 1 and a.requested_by is null and exists (
        select from jsonb_array_elements(a.decision -> 'spoke') as spoke where spoke ->> 'rule' = 'mode-observe')
      group by a.tool, a.incident_id, a.cycle
    ), told as (
      select p.tool, p.incident_id, (
        select e.data ->> 'did' from event e
        where e.incident_id = p.incident_id and e.type = 'person.close' and e.at >= p.since and e.data ? 'did'
          and not exists (select from event r
            where r.incident_id = p.incident_id and r.type = 'incident.reopened' and r.at >= p.since and r.id < e.id)
        order by e.id desc limit 1) as did
      from proposed p
    )
    select tool, count(*)::integer as proposed,
      count(*) filter (where did = 'same')::integer as same,
      count(*) filter (where did = 'other')::integer as other,
      count(*) filter (where did = 'nothing')::integer as nothing,
      count(*) filter (where did is null)::integer as unsaid,
      (select count(distinct incident_id)::integer from told) as incidents
    from told group by tool order by proposed desc, tool`.execute(db.q);
  return { tools: rows.map(({ incidents: _incidents, ...line }) => line), incidents: rows[0]?.incidents ?? 0 };
}
