import { type Database, json } from '../database/index.ts';
import { redact, redactValue } from '../telemetry/index.ts';

/** A retrieved passage or what a read-only tool said, with an id that a diagnosis can cite. */
export interface Evidence {
  /** `E1`, `E2`, … within one incident. */
  readonly ref: string;
  readonly kind: 'runbook' | 'past_incident' | 'tool';
  readonly title: string;
  /** Untrusted text, whatever its kind. */
  readonly content: string;
  /** Where it is from: a runbook's path and lines, an incident's number, or a tool and its arguments. */
  readonly origin: Readonly<Record<string, unknown>>;
}

/** Stores evidence of one cycle of an incident, without secrets. */
export async function addEvidence(
  db: Database,
  incidentId: number,
  cycle: number,
  evidence: readonly Evidence[],
): Promise<void> {
  if (evidence.length === 0) return;
  await db.q
    .insertInto('evidence')
    .values(
      evidence.map(({ ref, kind, title, content, origin }) => ({
        incident_id: incidentId,
        ref,
        cycle,
        kind,
        title: redact(title),
        content: redact(content),
        origin: json(redactValue(origin)),
      })),
    )
    .execute();
}

/** Reads the evidence of an incident in the order it was found, of one cycle or of all. */
export async function evidenceOf(db: Database, incidentId: number, cycle?: number): Promise<Evidence[]> {
  let query = db.q.selectFrom('evidence').selectAll().where('incident_id', '=', incidentId);
  if (cycle !== undefined) query = query.where('cycle', '=', cycle);
  const rows = await query.execute();
  return rows
    .map(({ ref, kind, title, content, origin }) => ({
      ref,
      kind: kind as Evidence['kind'],
      title,
      content,
      origin: origin as Record<string, unknown>,
    }))
    .sort((a, b) => Number(a.ref.slice(1)) - Number(b.ref.slice(1)));
}
