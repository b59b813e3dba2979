import { sql } from 'kysely';
import type { Alert, Labels } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import type { Call, Catalogue } from '../mcp-tools/index.ts';
import { isSameCall, restoreSecrets } from '../planning/index.ts';
import type { Policy } from '../policy/index.ts';
import { addSecret, placeholdersIn, secretsIn } from '../telemetry/index.ts';

/** What was sent longer ago is hardly shown any more. */
const SENT_DAYS = 90;

/** A call with the secrets that are in it and nowhere else. */
export interface ToSend {
  readonly call: Call;
  readonly secrets: readonly string[];
}

/**
 * Gives a call as it is sent: with its secrets put back, which nobody saw who judged or approved it. They may change nothing about what it
 * works on or risks. From now on the process takes them out of whatever it writes, and the client out of what the call answers.
 */
export function putBackSecrets(
  call: Call,
  { labels, alerts }: { labels: Labels; alerts: readonly Pick<Alert, 'labels' | 'annotations'>[] },
  { catalogue, policy }: { catalogue: Catalogue; policy: Policy },
): (ToSend & { readonly ok: true }) | { readonly ok: false; readonly message: string } {
  const restored = restoreSecrets(call, alerts, policy);
  if (!restored.ok) return restored;
  if (restored.secrets.length === 0) return { ok: true, call, secrets: [] };
  const resolution = catalogue.resolve(call.tool, restored.arguments, labels);
  if (!resolution.ok || !isSameCall(resolution, call))
    return { ok: false, message: 'with its secret put back it would be another call, or none that fits' };
  for (const secret of restored.secrets) addSecret(secret);
  return { ok: true, call: resolution.call, secrets: restored.secrets };
}

/**
 * Lets this process take out of whatever it writes what was put back into calls that another process sent, or this one before it was started anew: those of one
 * incident, or all of the last 90 days.
 */
export async function knowSentSecrets(db: Database, incidentId: number | null): Promise<void> {
  const one = incidentId === null ? sql`` : sql`and a.incident_id = ${incidentId}`;
  const { rows } = await sql<{ arguments: unknown; alerts: Pick<Alert, 'labels' | 'annotations'>[] | null }>`
    select a.arguments, (
      select jsonb_agg(jsonb_build_object('labels', l.labels, 'annotations', l.annotations))
      from alert l where l.incident_id = a.incident_id) as alerts
    from action a join intent i on i.action_id = a.id
    where a.arguments::text like '%[redacted:%'
      and i.sent_at > clock_timestamp() - ${SENT_DAYS} * interval '1 day' ${one}`.execute(db.q);
  for (const { arguments: args, alerts } of rows) {
    const all = alerts ?? [];
    const texts = all.flatMap(({ labels, annotations }) => [...Object.values(labels), ...Object.values(annotations)]);
    const known = secretsIn(
      texts,
      all.map((texts) => JSON.stringify(texts)),
    );
    for (const { id } of placeholdersIn(JSON.stringify(args))) known.get(id)?.forEach(addSecret);
  }
}
