import { z } from 'zod';
import { labelsSchema } from '../alert/index.ts';
import { modeSchema } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { RISK_CLASSES } from '../mcp-tools/index.ts';
import { judge, type Policy, type Question, strictest, type Verdict } from '../policy/index.ts';
import { asking, GATE_RULES } from './judge-action.ts';

/** Of the runs that a judgement counted, the newest so many are kept with it. */
const RUNS_KEPT = 300;

const time = z.iso.datetime().transform((text) => new Date(text));

/** A question as it was kept with its action; also what the API hands out for a replay. `runsLeftOut` counts the runs that were not kept. */
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
  serviceApprovers: z.array(z.string()).nullable().default(null),
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
  runsLeftOut: z.number().default(0),
}) satisfies z.ZodType<Question>;
export type StoredQuestion = z.infer<typeof questionSchema>;

/** Gives questions as they are kept with an action: of the runs that were counted the newest 300, and how many those leave out. */
export function toStored(questions: readonly Question[]): (Question & { readonly runsLeftOut: number })[] {
  return questions.map((question) => {
    const recent = question.recent.slice(0, RUNS_KEPT);
    return { ...question, recent, runsLeftOut: question.recent.length - recent.length };
  });
}

/** One judgement as it was made: what was asked, and what was answered. */
export interface StoredJudgement {
  readonly action: string;
  readonly incidentId: number;
  readonly tool: string;
  readonly target: string;
  /** Empty where it was refused before the policy was asked, as by the kill switch. */
  readonly questions: readonly StoredQuestion[];
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

/**
 * Judges what was judged before by another policy, by the facts of that time; null where the policy was never asked. What the gate itself
 * asked about then, whatever the policy said, is asked still.
 */
export function rejudge(
  { questions, verdict }: Pick<StoredJudgement, 'questions' | 'verdict'>,
  policy: Policy,
): Verdict | null {
  const [first] = questions;
  if (!first) return null;
  return strictest([
    ...questions.map((question) => judge(question, policy)),
    ...GATE_RULES.flatMap((rule) =>
      verdict.spoke.filter((spoke) => spoke.rule === rule).flatMap(({ why }) => asking(rule, questions, why)),
    ),
  ]);
}
