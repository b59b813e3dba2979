import { z } from 'zod';
import { incidentName } from '../incident/index.ts';
import type { RiskClass } from '../mcp-tools/index.ts';
import { type Call, canonicalSha256, type Inspection } from '../mcp-tools/index.ts';
import type { Action } from '../planning/index.ts';

/** What a person says yes or no to: everything that the answer is bound to. Any change of it makes another digest. */
export const subjectSchema = z.object({
  incident: z.string(),
  action: z.string(),
  instance: z.string(),
  tool: z.string(),
  definitionSha256: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  target: z.string(),
  /** Of the alert that it is for; they decide which rules speak. */
  labels: z.record(z.string(), z.string()),
  /** Which one exactly, where targets have an identity beyond their name. */
  uid: z.string().nullable(),
  risk: z.string(),
  /** Its place in the plan, as cycle.attempt.ordinal. */
  step: z.string(),
  policySha256: z.string(),
  required: z.number().int(),
  /** Who may say yes; null means every approver. */
  approvers: z.array(z.string()).nullable(),
  /** Who may not, because they asked for it or wrote it. */
  barred: z.array(z.string()),
  requestedBy: z.string().nullable(),
  /** What it would do, as a look at the target found when this was asked. */
  preview: z.array(z.string()).nullable(),
  undo: z.string(),
  expiresAt: z.iso.datetime(),
  nonce: z.string(),
});
export type Subject = z.infer<typeof subjectSchema>;

/** Gives the SHA-256 that a person's yes is bound to. */
export function digestOf(subject: Subject): string {
  return canonicalSha256('approval', subject);
}

/** What an action is about to be, as far as it can be read anew at any time. */
export interface Bound {
  readonly call: Call;
  readonly inspection: Pick<Inspection, 'uid'>;
  readonly risk: RiskClass;
  readonly policySha256: string;
}

/** Gives the part of a subject that must still be the same when the action is sent; the rest is as it was asked. */
export function boundFields(action: Action, { call, inspection, risk, policySha256 }: Bound) {
  return {
    incident: incidentName(action.incidentId),
    action: action.id,
    step: `${action.cycle}.${action.attempt}.${action.ordinal}`,
    requestedBy: action.requestedBy,
    undo: action.undo,
    instance: call.instance,
    tool: call.tool,
    definitionSha256: call.definitionSha256,
    arguments: call.arguments,
    target: call.target,
    labels: action.labels,
    uid: inspection.uid,
    risk,
    policySha256,
  } satisfies Partial<Subject>;
}
