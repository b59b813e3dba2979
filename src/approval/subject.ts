import { z } from 'zod';
import { incidentName } from '../incident/index.ts';
import type { RiskClass } from '../mcp-tools/index.ts';
import { type Call, canonicalSha256, type Inspection } from '../mcp-tools/index.ts';
import type { Action } from '../planning/index.ts';

/**
 * What a person says yes or no to: everything that the answer is bound to. Any change of it makes another digest. What earlier versions did
 * not ask about has a default, so that their questions can be read; the digest of such a one is another, so that no yes to it holds.
 */
export const subjectSchema = z.object({
  incident: z.string(),
  action: z.string(),
  instance: z.string(),
  tool: z.string(),
  definitionSha256: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  target: z.string(),
  /** Of the alert that it is for; they decide which rules speak. */
  labels: z.record(z.string(), z.string()).default({}),
  /** Which one exactly, where targets have an identity beyond their name. */
  uid: z.string().nullable().default(null),
  risk: z.string(),
  /** Its place in the plan, as cycle.attempt.ordinal. */
  step: z.string().default(''),
  policySha256: z.string(),
  required: z.number().int(),
  /** Who may say yes; null means every approver. */
  approvers: z.array(z.string()).nullable().default(null),
  /** Who may not, because they asked for it or wrote it. */
  barred: z.array(z.string()).default([]),
  requestedBy: z.string().nullable().default(null),
  /** What it would do, as a look at the target found when this was asked. */
  preview: z.array(z.string()).nullable().default(null),
  undo: z.string().default(''),
  /** The secrets that are put into its arguments when it is sent. Left out where there is none, as it was before there were any. */
  secrets: z
    .array(
      z.object({
        argument: z.string(),
        characters: z.number().int(),
        alert: z.string(),
        field: z.enum(['label', 'annotation']),
        name: z.string(),
        places: z.number().int(),
      }),
    )
    .optional(),
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
