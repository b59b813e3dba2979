import type { Database } from '../database/index.ts';
import { beginVerification, escalate, isFiring, type Stage, timeOf } from '../incident/index.ts';
import { actionsOf, setAction } from '../planning/index.ts';
import type { Metrics } from '../telemetry/index.ts';
import { approvalOf, endApproval } from './approval.ts';

/** Makes the stage that waits for people: a row and a timer, never a held worker. */
export function createAwaitDecision({ db, metrics }: { db: Database; metrics: Metrics }): Stage {
  return async ({ incident, alerts, signals }) => {
    const heard = signals.filter(({ kind }) => kind === 'resolved');
    const asked = (await actionsOf(db, incident.id, incident.cycle)).findLast(({ status }) => status === 'asked');
    const approval = asked ? await approvalOf(db, asked.id) : null;
    if (!asked || !approval) return escalate('the question to people is gone');
    const cancel = (action: 'denied' | 'cancelled', approvalEnd?: 'expired' | 'superseded') => async () => {
      if (approvalEnd) await endApproval(db, approval.id, approvalEnd);
      await setAction(db, asked.id, { status: action });
    };
    if (approval.status === 'denied') {
      metrics.approvals.inc({ status: 'denied' });
      return { ...escalate('a person said no'), write: cancel('denied') };
    }
    if (!isFiring(alerts)) {
      metrics.approvals.inc({ status: 'superseded' });
      const event = {
        type: 'approval.superseded',
        actor: 'nightshift',
        data: { approval: approval.id, because: 'the alert resolved' },
      };
      const verification = beginVerification('alert');
      return {
        ...verification,
        events: [event, ...(verification.events ?? [])],
        write: cancel('cancelled', 'superseded'),
      };
    }
    if (approval.status === 'approved') {
      metrics.approvals.inc({ status: 'approved' });
      return { state: 'acting', write: () => setAction(db, asked.id, { status: 'approved' }) };
    }
    if (approval.status !== 'pending' || approval.expiresAt <= (await timeOf(db, incident))) {
      metrics.approvals.inc({ status: 'expired' });
      const event = { type: 'approval.expired', actor: 'nightshift', data: { approval: approval.id } };
      const handOver = escalate('nobody answered in time');
      return { ...handOver, events: [event], write: cancel('cancelled', 'expired') };
    }
    // Every question since has its place in the plan; a yes to one without it would not hold.
    if (approval.subject.step === '') {
      const because = 'an earlier version asked, and it was not about all that is asked about now';
      const event = { type: 'approval.superseded', actor: 'nightshift', data: { approval: approval.id, because } };
      const handOver = escalate(`${because}; it can be asked again`);
      return { ...handOver, events: [event], write: cancel('cancelled', 'superseded') };
    }
    return { state: 'awaiting_approval', wait: { until: approval.expiresAt }, heard };
  };
}
