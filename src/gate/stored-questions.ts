import { z } from 'zod';
import { labelsSchema } from '../alert/index.ts';
import { modeSchema } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { RISK_CLASSES } from '../mcp-tools/index.ts';
import type { Question, Verdict } from '../policy/index.ts';

const time = z.iso.datetime().transform((text) => new Date(text));

/** A question as it was kept with its action; also what the API hands out for a replay. */
export const questionSchema = z.object({
  call: z.object({
    tool: z.string(),
    instance: z.string(),
    target: z.string(),
    arguments: z.record(z.string(), z.unknown()),
    risk: z.enum(RISK_CLASSES),
  }),
  labels: labelsSchema,
  mode: modeSchema,
  origin: z.enum(['pinned', 'unpinned', 'undeclared']),
  requestedBy: z.string().nullable(),
  at: time,
  receivedAt: time,
  population: z.object({ group: z.string(), members: z.number(), affects: z.number() }).nullable(),
  recent: z.array(
    z.object({
      tool: z.string(),
      instance: z.string(),
      target: z.string(),
      service: z.string(),
      namespace: z.string(),
      group: z.string().nullable(),
      affects: z.number(),
      at: time,
    }),
  ),
  record: z.array(z.enum(['healed', 'unchanged', 'worse', 'unknown'])),
  limits: z.object({
    perTargetTenMinutes: z.number(),
    perTargetDay: z.number(),
    perNamespaceHour: z.number(),
    replicaShare: z.number(),
    alertAgeSeconds: z.number(),
  }),
}) satisfies z.ZodType<Question>;

/** One judgement as it was made: what was asked, and what was answered. */
export interface StoredJudgement {
  readonly action: string;
  readonly incidentId: number;
  readonly tool: string;
  readonly target: string;
  readonly questions: readonly Question[];
  readonly verdict: Verdict;
}

/** Gives the judgements of some actions or of an incident, or a page of all of them in the order of their actions' ids. */
export async function storedJudgements(
  db: Database,
  of: { action: string } | { incidentId: number } | { after: string; limit: number },
): Promise<StoredJudgement[]> {
  let query = db.q
    .selectFrom('action')
    .select(['id', 'incident_id', 'tool', 'target', 'questions', 'decision'])
    .where('decision', 'is not', null)
    .where('questions', 'is not', null);
  if ('action' in of) query = query.where('id', '=', of.action);
  else if ('incidentId' in of)
    query = query.where('incident_id', '=', of.incidentId).orderBy('created_at').orderBy('id');
  else query = query.where('id', '>', of.after).orderBy('id').limit(of.limit);
  return (await query.execute()).map(({ id, incident_id: incidentId, tool, target, questions, decision }) => ({
    action: id,
    incidentId,
    tool,
    target,
    questions: z.array(questionSchema).parse(questions),
    verdict: decision as Verdict,
  }));
}
