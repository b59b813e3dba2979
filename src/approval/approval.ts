import { randomBytes } from 'node:crypto';
import { type Selectable, sql } from 'kysely';
import { type Database, json, type Schema } from '../database/index.ts';
import type { Inspection } from '../mcp-tools/index.ts';
import { type Action, type PutBack, shortId } from '../planning/index.ts';
import type { Verdict } from '../policy/index.ts';
import { type Bound, boundFields, digestOf, type Subject, subjectSchema } from './subject.ts';

export type ApprovalStatus = 'pending' | 'approved' | 'denied' | 'expired' | 'superseded';

export interface Vote {
  readonly principal: string;
  readonly decision: 'approve' | 'deny';
  readonly reason: string;
  readonly via: string;
  readonly at: Date;
}

/** A question to people about one exact action; a row, never memory. */
export interface Approval {
  readonly id: string;
  readonly incidentId: number;
  readonly actionId: string;
  readonly digest: string;
  readonly subject: Subject;
  /** How many different people must say yes: 1 to 5. */
  readonly required: number;
  readonly status: ApprovalStatus;
  readonly expiresAt: Date;
  readonly createdAt: Date;
  readonly decidedAt: Date | null;
  /** When its one use was made of it. */
  readonly usedAt: Date | null;
  readonly votes: readonly Vote[];
}

interface Terms extends Bound {
  readonly inspection: Inspection;
  readonly verdict: Pick<Verdict, 'approvals' | 'approvers' | 'expirySeconds'>;
  readonly barred: readonly string[];
  /** What is put into its arguments when it is sent; left out means nothing. */
  readonly secrets?: readonly PutBack[];
  readonly ttlSeconds: number;
  readonly now: Date;
}

/** Builds the question about an action; store it with `addApproval`. */
export function draftApproval(action: Action, terms: Terms): Approval {
  const { verdict, inspection, secrets = [], now } = terms;
  const expiresAt = new Date(now.getTime() + (verdict.expirySeconds ?? terms.ttlSeconds) * 1000);
  const subject: Subject = {
    ...boundFields(action, terms),
    required: verdict.approvals,
    approvers: verdict.approvers === null ? null : [...verdict.approvers],
    barred: [...terms.barred],
    preview: inspection.preview === null ? null : [...inspection.preview],
    ...(secrets.length === 0 ? {} : { secrets: [...secrets] }),
    expiresAt: expiresAt.toISOString(),
    nonce: randomBytes(16).toString('hex'),
  };
  return {
    id: shortId(''),
    incidentId: action.incidentId,
    actionId: action.id,
    digest: digestOf(subject),
    subject,
    required: verdict.approvals,
    status: 'pending',
    expiresAt,
    createdAt: now,
    decidedAt: null,
    usedAt: null,
    votes: [],
  };
}

/** Stores a question; at most one may be pending for an action. */
export async function addApproval(db: Database, approval: Approval): Promise<void> {
  const { id, incidentId, actionId, digest, subject, required, status, expiresAt, createdAt } = approval;
  await db.q
    .insertInto('approval')
    .values({
      id,
      incident_id: incidentId,
      action_id: actionId,
      digest,
      subject: json(subject),
      required,
      status,
      expires_at: expiresAt,
      created_at: createdAt,
    })
    .execute();
}

/** Gives the latest question about an action, or null. */
export async function approvalOf(db: Database, actionId: string): Promise<Approval | null> {
  const row = await db.q
    .selectFrom('approval')
    .selectAll()
    .where('action_id', '=', actionId)
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ? toApproval(db, row) : null;
}

/** Lists the questions of an incident (oldest first), or all that are still pending. */
export async function listApprovals(db: Database, of: { incidentId: number } | 'pending'): Promise<Approval[]> {
  let query = db.q.selectFrom('approval').selectAll().orderBy('created_at').limit(500);
  query = of === 'pending' ? query.where('status', '=', 'pending') : query.where('incident_id', '=', of.incidentId);
  const rows = await query.execute();
  return Promise.all(rows.map((row) => toApproval(db, row)));
}

/** Ends a pending question without an answer; tells whether it still was pending. */
export async function endApproval(db: Database, id: string, status: 'expired' | 'superseded'): Promise<boolean> {
  const { numUpdatedRows } = await db.q
    .updateTable('approval')
    .set({ status, decided_at: sql`clock_timestamp()` })
    .where('id', '=', id)
    .where('status', '=', 'pending')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Makes the one use of a yes, in the current transaction; tells whether it was still there to be used. */
export async function useApproval(db: Database, id: string): Promise<boolean> {
  const { numUpdatedRows } = await db.q
    .updateTable('approval')
    .set({ used_at: sql`clock_timestamp()` })
    .where('id', '=', id)
    .where('status', '=', 'approved')
    .where('used_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Reads one stored question with its votes. */
export async function toApproval(db: Database, row: Selectable<Schema['approval']>): Promise<Approval> {
  const votes = await db.q
    .selectFrom('approval_vote')
    .selectAll()
    .where('approval_id', '=', row.id)
    .orderBy('at')
    .execute();
  return {
    id: row.id,
    incidentId: row.incident_id,
    actionId: row.action_id,
    digest: row.digest,
    subject: subjectSchema.parse(row.subject),
    required: row.required,
    status: row.status as ApprovalStatus,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    decidedAt: row.decided_at,
    usedAt: row.used_at,
    votes: votes.map(({ principal, decision, reason, via, at }) => ({
      principal,
      decision: decision as Vote['decision'],
      reason,
      via,
      at,
    })),
  };
}
