import { sql } from 'kysely';
import { type Database, readEmbedded, readPostgres } from '../../src/database/index.ts';
import type { Nightshift } from '../../test/real-parts/nightshift.ts';
import type { Server } from './server.ts';

/** What a storm has left behind. */
export interface StormCounts {
  readonly incidents: number;
  readonly parents: number;
  /** Incidents in which one step of the work was done more than once, and children on which any was done. */
  readonly workedTwice: number;
  /** How often the alerts were received, by their rows. */
  readonly received: number;
}

/** Asks for the state of the incident that the others were folded under, or null where there is none yet. */
export async function parentState({ api }: Nightshift): Promise<string | null> {
  const { incidents } = await api<{ incidents: { id: string; state: string; foldedUnder: string | null }[] }>(
    '/api/v1/incidents?limit=500',
  );
  const parent = incidents.find(({ foldedUnder }) => foldedUnder !== null)?.foldedUnder;
  return incidents.find(({ id }) => id === parent)?.state ?? null;
}

/** Counts what is committed; stops a server on the embedded database first, because nobody else can open that. */
export async function countStorm({ nightshift, dataDir, databaseUrl }: Server): Promise<StormCounts> {
  if (databaseUrl === null) await nightshift.stop();
  const db = await (databaseUrl === null ? readEmbedded(dataDir) : readPostgres(databaseUrl));
  try {
    return await count(db);
  } finally {
    await db.close();
  }
}

async function count(db: Database): Promise<StormCounts> {
  const { rows } = await sql<StormCounts>`
    with steps as (
      select incident_id, max(n) as times from (
        select incident_id, type, count(*) as n from event
        where type in ('triage.done', 'evidence.gathered', 'diagnosis.made', 'plan.made', 'plan.none', 'incident.escalated')
        group by 1, 2
      ) as by_type group by 1
    )
    select
      (select count(*)::int from incident) as incidents,
      (select count(distinct parent_id)::int from incident) as parents,
      (select count(*)::int from steps join incident i on i.id = steps.incident_id
        where times > 1 or i.parent_id is not null) as "workedTwice",
      (select coalesce(sum(received), 0)::int from alert) as received`.execute(db.q);
  return rows[0] as StormCounts;
}
