import { NightshiftError } from '../errors.ts';
import { incidentName } from '../incident/index.ts';
import type { Approval, ApprovalStatus } from './approval.ts';
import { digestOf } from './subject.ts';

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

type Asked = Pick<Approval, 'id' | 'incidentId' | 'status' | 'expiresAt' | 'digest' | 'subject' | 'votes'>;

/**
 * Says why that answer would be refused now: `forbidden`, or `conflict` saying how it was decided before, that it expired, or that it changed;
 * null where it counts. Anybody who may decide at all may say no; a yes counts only from those whom the question names, and never from who asked
 * for the action or changed its runbook last. Pure.
 */
export function refusalOf(
  approval: Asked,
  answer: Pick<Decision, 'decision' | 'principal' | 'digest'>,
  now: Date,
): NightshiftError | null {
  const closed = whyClosed(approval, answer, now);
  return closed ?? (answer.decision === 'deny' ? null : whyNotEntitled(approval, answer.principal));
}

/**
 * Gives the people who say yes once this answer counts, and how the question stands then. One no ends it; as many different people as
 * it requires must say yes. Pure.
 * @throws NightshiftError as `refusalOf` gives it.
 */
export function count(approval: Asked, decision: Decision, now: Date): { yes: number; status: ApprovalStatus } {
  const refusal = refusalOf(approval, decision, now);
  if (refusal) throw refusal;
  const before = approval.votes.filter((vote) => vote.decision === 'approve').map((vote) => vote.principal);
  if (decision.decision === 'deny') return { yes: before.length, status: 'denied' };
  const yes = new Set([...before, decision.principal]).size;
  return { yes, status: yes >= approval.subject.required ? 'approved' : 'pending' };
}

function whyNotEntitled({ id, subject }: Asked, principal: string): NightshiftError | null {
  const refuse = (why: string, fix: string) =>
    new NightshiftError('forbidden', `${principal} cannot approve ${id}: ${why}. Fix: ${fix}`);
  const { approvers, barred, requestedBy } = subject;
  if (principal === requestedBy) return refuse('you asked for it yourself', 'let somebody else approve it');
  if (barred.includes(principal)) return refuse('you changed its runbook last', 'let somebody else approve it');
  if (approvers !== null && !approvers.includes(principal))
    return refuse('the policy names other people', `ask one of ${approvers.join(', ')}`);
  return null;
}

function whyClosed(
  approval: Asked,
  { principal, digest }: Pick<Decision, 'principal' | 'digest'>,
  now: Date,
): NightshiftError | null {
  const { id, incidentId, status, expiresAt, subject, votes } = approval;
  const refuse = (why: string) =>
    new NightshiftError('conflict', `approval ${id} of ${incidentName(incidentId)} ${why}`);
  if (status !== 'pending') {
    const by = votes.map((vote) => `${vote.principal} via ${vote.via}`).join(', ');
    return refuse(`is ${status} already${by ? ` (${by})` : ''}; the first decision counts`);
  }
  if (expiresAt <= now)
    return refuse(
      `expired at ${expiresAt.toISOString()}. Fix: ask again with: nightshift ask-again ${incidentName(incidentId)}`,
    );
  if (digestOf(subject) !== approval.digest || (digest !== undefined && digest !== approval.digest))
    return refuse('is not about the action that you were shown. Fix: look at it again with: nightshift approvals');
  if (votes.some((vote) => vote.principal === principal))
    return refuse(`has your answer already; it needs ${subject.required} different people`);
  return null;
}
