/** Everything that is in the timelines, read past all that the product's own reader waits for. */
import type { Database } from '../../../src/database/index.ts';

export async function allEvents(db: Database, after = 0) {
  const rows = await db.q.selectFrom('event').selectAll().where('id', '>', after).orderBy('id').execute();
  return rows.map((row) => ({
    id: row.id,
    incidentId: row.incident_id,
    type: row.type,
    actor: row.actor,
    data: row.data as Record<string, unknown>,
  }));
}
