import type { Selectable } from 'kysely';
import { type Database, json, type Schema } from '../database/index.ts';
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
  const rows = await evidenceRows(db, incidentId, cycle).selectAll('e').execute();
  return rows.map(toEvidence).sort(byNumber);
}

/** Reads it with the whole of what is cut or summarised in it, so that quotes can be looked up. */
export async function fullEvidenceOf(db: Database, incidentId: number, cycle?: number): Promise<Evidence[]> {
  const rows = await evidenceRows(db, incidentId, cycle)
    .leftJoin('evidence_full as f', (join) =>
      join.onRef('f.incident_id', '=', 'e.incident_id').onRef('f.ref', '=', 'e.ref'),
    )
    .selectAll('e')
    .select('f.content as full')
    .execute();
  return rows.map(({ full, ...row }) => ({ ...toEvidence(row), ...(full === null ? {} : { full }) })).sort(byNumber);
}

function evidenceRows(db: Database, incidentId: number, cycle?: number) {
  const query = db.q.selectFrom('evidence as e').where('e.incident_id', '=', incidentId);
  return cycle === undefined ? query : query.where('e.cycle', '=', cycle);
}

function toEvidence({ ref, kind, title, content, origin }: Selectable<Schema['evidence']>): Evidence {
  return { ref, kind: kind as Evidence['kind'], title, content, origin: origin as Record<string, unknown> };
}

function byNumber(a: Evidence, b: Evidence): number {
  return Number(a.ref.slice(1)) - Number(b.ref.slice(1));
}

/** Gives what the timeline shows of an item of evidence. */
export function showEvidence({ ref, kind, title, content, origin }: Evidence) {
  return { ref, kind, title, origin, start: content.slice(0, 240) };
}

/** The number of the last item of evidence, 0 where there is none; a later one must not bear an earlier one's id. */
export function numberOfLast(evidence: readonly Evidence[]): number {
  return evidence.reduce((last, { ref }) => Math.max(last, Number(ref.slice(1)) || 0), 0);
}
