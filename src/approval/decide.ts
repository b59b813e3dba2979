import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { addEvents, incidentName } from '../incident/index.ts';
import { type Approval, digestOf, toApproval } from './approval.ts';

export interface Decision {
  readonly approvalId: string;
  readonly decision: 'approve' | 'deny';
  /** Which person says so. */
  readonly principal: string;
  readonly reason: string;
  /** Which door it came through, for example `cli`. */
  readonly via: string;
  /** The digest that the person was shown, where the door knows it. */
  readonly digest?: string;
}

/**
 * Records one person's yes or no, in the current transaction, and gives the question as it stands then.
 * One no ends it; as many different people as it requires must say yes; it can be answered only while it is pending and not expired.
 * Anybody who may decide at all may say no; a yes counts only from those whom the question names, and never from who asked for the
 * action or changed its runbook last.
 * @throws NightshiftError `not_found`, `forbidden`, or `conflict` saying how it was decided before, that it expired, or that it changed.
 */
export async function decide(db: Database, decision: Decision, now: Date): Promise<Approval> {
  const row = await db.q
    .selectFrom('approval')
    .selectAll()
    .where('id', '=', decision.approvalId)
    .forUpdate()
    .executeTakeFirst();
  if (!row)
    throw new NightshiftError(
      'not_found',
      `there is no approval ${decision.approvalId}. Fix: list the open ones with: nightshift approvals`,
    );
  const approval = await toApproval(db, row);
  refuseUnlessOpen(approval, decision, now);
  if (decision.decision === 'approve') refuseUnlessEntitled(approval, decision.principal);

  const { approvalId, principal, reason, via } = decision;
  await db.q
    .insertInto('approval_vote')
    .values({ approval_id: approvalId, principal, decision: decision.decision, reason, via })
    .execute();
  const yes = new Set(approval.votes.filter((vote) => vote.decision === 'approve').map((vote) => vote.principal));
  if (decision.decision === 'approve') yes.add(principal);
  const status = decision.decision === 'deny' ? 'denied' : yes.size >= approval.required ? 'approved' : 'pending';
  if (status !== 'pending')
    await db.q.updateTable('approval').set({ status, decided_at: now }).where('id', '=', approvalId).execute();

  const data = {
    approval: approvalId,
    action: approval.actionId,
    decision: decision.decision,
    reason,
    via,
    status,
    yes: yes.size,
    required: approval.required,
  };
  await addEvents(db, approval.incidentId, [{ type: 'approval.decided', actor: principal, data }]);
  return { ...approval, status, decidedAt: status === 'pending' ? null : now };
}

function refuseUnlessEntitled({ id, subject }: Approval, principal: string): void {
  const refuse = (why: string, fix: string) =>
    new NightshiftError('forbidden', `${principal} cannot approve ${id}: ${why}. Fix: ${fix}`);
  const { approvers, barred, requestedBy } = subject;
  if (principal === requestedBy) throw refuse('you asked for it yourself', 'let somebody else approve it');
  if (barred.includes(principal)) throw refuse('you changed its runbook last', 'let somebody else approve it');
  if (approvers !== null && !approvers.includes(principal))
    throw refuse('the policy names other people', `ask one of ${approvers.join(', ')}`);
}

function refuseUnlessOpen(approval: Approval, { principal, digest }: Decision, now: Date): void {
  const refuse = (why: string) =>
    new NightshiftError('conflict', `approval ${approval.id} of ${incidentName(approval.incidentId)} ${why}`);
  if (approval.status !== 'pending') {
    const by = approval.votes.map((vote) => `${vote.principal} via ${vote.via}`).join(', ');
    throw refuse(`is ${approval.status} already${by ? ` (${by})` : ''}; the first decision counts`);
  }
  if (approval.expiresAt <= now)
    throw refuse(
      `expired at ${approval.expiresAt.toISOString()}. Fix: ask again with: nightshift ask-again ${incidentName(approval.incidentId)}`,
    );
  if (digestOf(approval.subject) !== approval.digest || (digest !== undefined && digest !== approval.digest)) {
    throw refuse('is not about the action that you were shown. Fix: look at it again with: nightshift approvals');
  }
  if (approval.votes.some((vote) => vote.principal === principal))
    throw refuse(`has your answer already; it needs ${approval.required} different people`);
}
