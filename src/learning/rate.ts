import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { addEvents, isClosed, loadIncident } from '../incident/index.ts';
import { ratePastIncident, withdrawCredit } from '../rag/index.ts';

/**
 * Records whether a person found the handling of an incident helpful, in the current transaction; each person's latest word counts.
 * While it is open again, the word is about the last time that it was over. Once more people found it unhelpful than helpful, it is found
 * later than others, and its remedy no longer counts as having healed. That stays so when they change their minds: words may take credit
 * away, and only checks give it.
 * @throws NightshiftError `not_found`.
 */
export async function rate(
  db: Database,
  { incidentId, helpful, by, why = '' }: { incidentId: number; helpful: boolean; by: string; why?: string },
): Promise<void> {
  // Held until the commit, so that two people who rate at once are both counted.
  await db.q.selectFrom('incident').select('id').where('id', '=', incidentId).forUpdate().execute();
  const incident = await loadIncident(db, incidentId);
  const cycle = isClosed(incident.state) ? incident.cycle : Math.max(1, incident.cycle - 1);
  await addEvents(db, incidentId, [
    { type: 'person.rated', actor: by, data: { helpful, cycle, ...(why === '' ? {} : { why }) } },
  ]);
  const { rows } = await sql<{ rating: number }>`
    select coalesce(sum(case when helpful then 1 else -1 end), 0)::integer as rating from (
      select distinct on (actor) (data ->> 'helpful')::boolean as helpful from event
      where incident_id = ${incidentId} and type = 'person.rated' and data ->> 'cycle' = ${String(cycle)}
      order by actor, id desc) as latest`.execute(db.q);
  const rating = rows[0]?.rating ?? 0;
  await ratePastIncident(db, { incidentId, cycle, rating });
  if (rating >= 0) return;
  await withdrawCredit(db, { incidentId, cycle });
  await db.q
    .updateTable('action')
    .set({ effect: 'unchanged' })
    .where('incident_id', '=', incidentId)
    .where('cycle', '=', cycle)
    .where('effect', '=', 'healed')
    .execute();
}
