import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { addEvents, loadIncident } from '../incident/index.ts';
import { ratePastIncident } from '../rag/index.ts';

/**
 * Records whether a person found the handling of an incident helpful, in the current transaction; a person's latest word counts.
 * Unhelpful ones are found later than others, and their remedies no longer count as having healed.
 * @throws NightshiftError `not_found`.
 */
export async function rate(
  db: Database,
  { incidentId, helpful, by }: { incidentId: number; helpful: boolean; by: string },
): Promise<void> {
  const { cycle } = await loadIncident(db, incidentId);
  await addEvents(db, incidentId, [{ type: 'person.rated', actor: by, data: { helpful, cycle } }]);
  const { rows } = await sql<{ rating: number }>`
    select coalesce(sum(case when helpful then 1 else -1 end), 0)::integer as rating from (
      select distinct on (actor) (data ->> 'helpful')::boolean as helpful from event
      where incident_id = ${incidentId} and type = 'person.rated' and (data ->> 'cycle')::integer = ${cycle}
      order by actor, id desc) as latest`.execute(db.q);
  const rating = rows[0]?.rating ?? 0;
  await ratePastIncident(db, { incidentId, cycle, rating });
  if (rating >= 0) return;
  await db.q
    .updateTable('action')
    .set({ effect: 'unchanged' })
    .where('incident_id', '=', incidentId)
    .where('cycle', '=', cycle)
    .where('effect', '=', 'healed')
    .execute();
}
