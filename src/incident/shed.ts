import { sql } from 'kysely';
import { type Database, json } from '../database/index.ts';
import { type Incident, incidentName } from './incident.ts';
import { addEventsOf } from './timeline.ts';

/**
 * Hands incidents that nobody has begun to people, in the current transaction and in one statement for all, but only those that nobody has
 * moved and to which nothing was said since they were loaded; gives the ids of those. Each hears a reason of its own.
 */
export async function handOverUnbegun(
  db: Database,
  incidents: readonly Pick<Incident, 'id' | 'version' | 'wakeSeq' | 'severity'>[],
  { reasonFor, data }: { reasonFor: (name: string, severity: string) => string; data: Record<string, unknown> },
): Promise<Set<number>> {
  if (incidents.length === 0) return new Set();
  const at = new Date().toISOString();
  const rows = incidents.map(({ id, version, wakeSeq, severity }) => ({
    id,
    version,
    wake_seq: wakeSeq,
    escalation: { reason: reasonFor(incidentName(id), severity), at, shed: true },
  }));
  const moved = await sql<{ id: number }>`
    update incident i set state = 'escalated', version = i.version + 1, updated_at = clock_timestamp(), shed_at = clock_timestamp(),
      context = i.context || jsonb_build_object('escalation', s.escalation)
    from jsonb_to_recordset(${json(rows)}) as s(id bigint, version int, wake_seq int, escalation jsonb)
    where i.id = s.id and i.version = s.version and i.wake_seq = s.wake_seq and i.state = 'received'
    returning i.id`.execute(db.q);
  const done = new Set(moved.rows.map(({ id }) => id));
  await addEventsOf(
    db,
    rows
      .filter(({ id }) => done.has(id))
      .flatMap(({ id, escalation: { reason } }) => [
        { incidentId: id, type: 'incident.shed', actor: 'nightshift', data },
        { incidentId: id, type: 'incident.escalated', actor: 'nightshift', data: { reason, escalateTo: null } },
      ]),
  );
  return done;
}
