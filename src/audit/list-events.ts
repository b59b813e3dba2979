import type { Database } from '../database/index.ts';
import type { StoredEvent } from '../incident/index.ts';

/** Which events are looked for; what is left out does not matter. */
export interface AuditQuery {
  /** Only older ones. */
  readonly before?: number;
  readonly incidentId?: number;
  readonly actor?: string;
  /** A type, or the beginning of types followed by an asterisk, for example `approval.*`. */
  readonly type?: string;
  readonly limit: number;
}

/** Lists events, the newest first: who did what. */
export async function listEvents(
  db: Database,
  { before, incidentId, actor, type, limit }: AuditQuery,
): Promise<StoredEvent[]> {
  let query = db.q.selectFrom('event').selectAll().orderBy('id', 'desc').limit(limit);
  if (before !== undefined) query = query.where('id', '<', before);
  if (incidentId !== undefined) query = query.where('incident_id', '=', incidentId);
  if (actor !== undefined) query = query.where('actor', '=', actor);
  if (type?.endsWith('*')) query = query.where('type', 'like', `${type.slice(0, -1).replace(/[%_\\]/g, '\\$&')}%`);
  else if (type !== undefined) query = query.where('type', '=', type);
  return (await query.execute()).map(({ incident_id, data, ...row }) => ({
    id: row.id,
    incidentId: incident_id,
    at: row.at,
    type: row.type,
    actor: row.actor,
    data: data as Record<string, unknown>,
  }));
}
