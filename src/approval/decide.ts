import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { addEvents } from '../incident/index.ts';
import { type Approval, toApproval } from './approval.ts';
import { count, type Decision } from './vote.ts';

/**
 * Records one person's yes or no, in the current transaction, and gives the question as it stands then; see `count`.
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
  const { yes, status } = count(approval, decision, now);

  const { approvalId, principal, reason, via } = decision;
  await db.q
    .insertInto('approval_vote')
    .values({ approval_id: approvalId, principal, decision: decision.decision, reason, via })
    .execute();
  if (status !== 'pending')
    await db.q.updateTable('approval').set({ status, decided_at: now }).where('id', '=', approvalId).execute();

  const data = {
    approval: approvalId,
    action: approval.actionId,
    decision: decision.decision,
    reason,
    via,
    status,
    yes,
    required: approval.required,
  };
  await addEvents(db, approval.incidentId, [{ type: 'approval.decided', actor: principal, data }]);
  return { ...approval, status, decidedAt: status === 'pending' ? null : now };
}
