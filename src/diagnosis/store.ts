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
  /** The whole text where `content` is cut or a summary; only what stands here can be quoted then. */
  readonly full?: string;
}

/** In characters; what a look gave beyond it is not kept. */
export const FULL_MAX = 128 * 1024;

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
  const long = evidence.flatMap(({ ref, full }) =>
    full === undefined ? [] : [{ incident_id: incidentId, ref, content: redact(full, FULL_MAX) }],
  );
  if (long.length > 0) await db.q.insertInto('evidence_full').values(long).execute();
}

/** Reads the evidence of an incident in the order it was found, of one cycle or of all; without the whole of long texts. */
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

/** Adds to evidence the whole of what is cut or summarised in it, so that quotes can be looked up. */
export async function withFullTexts(
  db: Database,
  incidentId: number,
  evidence: readonly Evidence[],
): Promise<Evidence[]> {
  const rows = await db.q
    .selectFrom('evidence_full')
    .select(['ref', 'content'])
    .where('incident_id', '=', incidentId)
    .execute();
  const full = new Map(rows.map(({ ref, content }) => [ref, content]));
  return evidence.map((one) => {
    const text = full.get(one.ref);
    return text === undefined ? one : { ...one, full: text };
  });
}

/** Gives what the timeline shows of an item of evidence. */
export function showEvidence({ ref, kind, title, content, origin }: Evidence) {
  return { ref, kind, title, origin, start: content.slice(0, 240) };
}

/** The number of the last item of evidence, 0 where there is none; a later one must not bear an earlier one's id. */
export function numberOfLast(evidence: readonly Evidence[]): number {
  return evidence.reduce((last, { ref }) => Math.max(last, Number(ref.slice(1)) || 0), 0);
}
