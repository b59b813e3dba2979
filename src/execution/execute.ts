import { type Approval, approvalOf, boundFields, digestOf, useApproval } from '../approval/index.ts';
import type { Failpoint } from '../failpoints.ts';
import {
  type GateDependencies,
  judgeAction,
  judgeAgain,
  readStanding,
  type Standing,
  type StandingAction,
} from '../gate/index.ts';
import {
  addEvents,
  beginVerification,
  escalate,
  incidentName,
  isFiring,
  type NewEvent,
  type Outcome,
  type Stage,
  type Work,
} from '../incident/index.ts';
import type { Call, CallResult, Inspection } from '../mcp-tools/index.ts';
import { type Action, setAction } from '../planning/index.ts';
import type { Mint, Question, Verdict } from '../policy/index.ts';
import { addIntent, finishIntent } from './intent.ts';
import { putBackSecrets, type ToSend } from './put-back-secrets.ts';

export interface ExecuteDependencies extends GateDependencies {
  readonly mint: Mint;
  /** A named point at which tests stop the process; does nothing otherwise. */
  readonly failpoint: Failpoint;
}

/** `woken`: something was said meanwhile, so look again at once. `busy`: another action on the same target is under way. */
const AGAIN_SECONDS = { woken: 0, busy: 2 };

/**
 * Makes the stage that runs one cleared action, at most once. Everything is checked again right before the send; the intent is
 * committed before it; an intent without an outcome means that nobody knows, so the world is looked at and nothing is sent again.
 */
export function createExecute(dependencies: ExecuteDependencies): Stage {
  const { db, client, identity, killSwitch, mint, failpoint } = dependencies;
  return async (work) => {
    const { incident, alerts } = work;
    const standing = await readStanding(db, incident, alerts);
    const plan = standing.actions.filter(({ attempt }) => attempt === incident.context.attempt);
    const action = plan.find(({ status }) => status === 'allowed' || status === 'approved' || status === 'running');
    if (!action) return { state: 'planned' };
    if (action.sentAt !== null)
      return land(action, plan, {
        outcome: 'unknown',
        error: 'cut off before its answer was kept (Nightshift, or its database, was gone)',
      });
    if (!isFiring(alerts)) return { ...beginVerification('alert'), write: () => cancelLeft(plan) };

    const cleared = await recheck(action, work, standing);
    if ('refusal' in cleared) return cleared.refusal;
    const toSend = putBackSecrets(cleared.call, { labels: action.labels, alerts }, dependencies);
    if (!toSend.ok) return refuse(action, toSend.message);
    // Started before the clearance is minted, which is good for seconds only: a worker that is held up sends nothing much later.
    const notStarted = await client.start(cleared.call.instance);
    if (notStarted !== null) return land(action, plan, { outcome: 'failed', error: notStarted });
    const of = { incident: incidentName(incident.id), action: action.id, grantor: cleared.grantor };
    const clearance = mint.clear(toSend.call, of, new Date());
    failpoint('execute.before-intent');
    const begun = await db.transaction(async () => {
      if (!(await work.assertHeld())) return 'woken';
      const added = await addIntent(
        db,
        { action, inspection: cleared.inspection, timeoutSeconds: cleared.call.timeoutSeconds },
        () => stillCleared(action, cleared, toSend),
      );
      if (added === 'added') await addEvents(db, incident.id, [started(action, cleared)]);
      return added;
    });
    if (begun === 'refused')
      return refuse(
        action,
        'the policy says no to it as it is sent, a limit was reached meanwhile, or its approval was used, so it must be asked again',
      );
    if (begun !== 'added') return { state: 'acting', wait: { seconds: AGAIN_SECONDS[begun] } };
    failpoint('execute.before-send');
    // The last thing before the send: what was sent cannot be called back.
    const stop = await killSwitch.state();
    if (stop.engaged) {
      const said = { error: 'it was not sent' };
      const write = () => finishIntent(db, action.id, { outcome: 'failed', said, status: 'cancelled' });
      return { ...refuse(action, `everything is stopped: ${stop.why}`), write };
    }
    // Not the worker's own signal: a call that was sent is waited for, even when Nightshift is asked to stop.
    const result = await client.call(toSend.call, { clearance, signal: new AbortController().signal });
    failpoint('execute.after-send');
    return land(action, plan, result);
  };

  /** Checks again, as things stand now: policy, target, tool, and for an asked action the very approval. */
  async function recheck(
    action: StandingAction,
    { alerts }: Work,
    standing: Standing,
  ): Promise<Cleared | { refusal: Outcome }> {
    const judged = await judgeAction(action, alerts, { ...dependencies, standing });
    const { verdict } = judged;
    const changed = (why: string) => ({ refusal: refuse(action, why, verdict) });
    if (judged.obsolete) {
      const event: NewEvent = {
        type: 'action.cancelled',
        actor: 'nightshift',
        data: { action: action.id, tool: action.tool, target: action.target },
      };
      return {
        refusal: { state: 'planned', events: [event], write: () => setAction(db, action.id, { status: 'cancelled' }) },
      };
    }
    if (judged.call === null || verdict.decision === 'deny')
      return changed(verdict.spoke.find(({ decision }) => decision === 'deny')?.why ?? 'the policy denies it now');
    const { call, questions, inspection } = judged;
    if (verdict.decision === 'allow')
      return {
        call,
        questions,
        inspection,
        approval: null,
        yes: [],
        barred: [],
        grantor: `policy ${verdict.spoke
          .filter(({ decision }) => decision === 'allow')
          .map(({ rule }) => rule)
          .join(', ')}`,
      };
    const asking = verdict.spoke.filter(({ decision }) => decision === 'ask').map(({ why }) => why);
    const approval = await approvalOf(db, action.id);
    if (action.status !== 'approved' || approval?.status !== 'approved' || !approval.decidedAt)
      return changed(`it needs an approval now (${asking.join('; ')})`);
    const yes = countedYes(approval, verdict, judged.barred);
    if (yes.length < Math.max(verdict.approvals, approval.subject.required))
      return changed(`it needs ${verdict.approvals} approval(s) now, of people who may give them now`);
    const { subject } = approval;
    const bound = { call, inspection, risk: verdict.risk, policySha256: dependencies.policy.sha256 };
    const same =
      digestOf(subject) === approval.digest &&
      digestOf({ ...subject, ...boundFields(action, bound) }) === approval.digest;
    if (!same) return changed('something that the approval is bound to has changed');
    const ageSeconds = ((await db.now()).getTime() - approval.decidedAt.getTime()) / 1000;
    const goodForSeconds = (new Date(subject.expiresAt).getTime() - approval.createdAt.getTime()) / 1000;
    if (ageSeconds > goodForSeconds) return changed('its approval is too old');
    return { call, questions, inspection, approval, yes, barred: judged.barred, grantor: yes.join(', ') };
  }

  /** Right before the intent is committed, while nothing else can commit one: the limits hold still, and the yes is used up. */
  async function stillCleared(
    action: Action,
    { questions, approval, barred }: Cleared,
    { call, secrets }: ToSend,
  ): Promise<boolean> {
    // Also as it is sent: a rule may be about what a secret says.
    const asSent = (secrets.length === 0 ? [] : questions).map((question) => ({
      ...question,
      call: { ...question.call, arguments: call.arguments },
    }));
    const verdict = await judgeAgain([...questions, ...asSent], action, dependencies);
    if (approval === null) return verdict.decision === 'allow';
    if (verdict.decision === 'deny') return false;
    const enough = countedYes(approval, verdict, barred).length >= verdict.approvals;
    return enough && (await useApproval(db, approval.id));
  }

  /** Whose yes counts now: who may decide at all, whom the policy names now, and nobody who is barred by now. */
  function countedYes({ votes }: Approval, { approvers }: Verdict, barred: readonly string[]): string[] {
    const said = new Set(votes.filter((vote) => vote.decision === 'approve').map((vote) => vote.principal));
    return [...said].filter(
      (name) => identity.mayDecide(name) && !barred.includes(name) && (approvers === null || approvers.includes(name)),
    );
  }

  /** What was cleared may not run any more: a person must look at it. */
  function refuse(action: Action, why: string, verdict?: Verdict): Outcome {
    const data = { action: action.id, tool: action.tool, why, spoke: verdict?.spoke ?? [] };
    const handOver = escalate(`${action.tool} was cleared but did not run: ${why}`);
    const write = () => setAction(db, action.id, { status: 'cancelled' });
    return { ...handOver, events: [{ type: 'action.refused', actor: 'nightshift', data }], write };
  }

  function land(action: Action, plan: readonly Action[], result: CallResult): Outcome {
    const said = result.outcome === 'succeeded' ? { result: result.result } : { error: result.error };
    const event: NewEvent = {
      type: `action.${result.outcome}`,
      actor: 'nightshift',
      data: { action: action.id, tool: action.tool, target: action.target, arguments: action.arguments, ...said },
    };
    const more =
      result.outcome === 'succeeded' &&
      plan.some(({ status, ordinal }) => status === 'proposed' && ordinal > action.ordinal);
    const write = async () => {
      await finishIntent(db, action.id, { outcome: result.outcome, said });
      if (!more) await cancelLeft(plan.filter(({ ordinal }) => ordinal > action.ordinal));
    };
    if (more) return { state: 'planned', events: [event], write };
    const verification = {
      after: 'action' as const,
      startedAt: null,
      outcomeUnknown: result.outcome === 'unknown',
      patient: result.outcome !== 'failed',
      checksPassedAt: null,
      closedBy: null,
    };
    return {
      state: 'verifying',
      context: { verification },
      events: [event, { type: 'verification.started', actor: 'nightshift', data: { after: 'action' } }],
      write,
    };
  }

  async function cancelLeft(plan: readonly Action[]): Promise<void> {
    for (const { id, status } of plan)
      if (status === 'proposed' || status === 'allowed' || status === 'approved')
        await setAction(db, id, { status: 'cancelled' });
  }
}

/** Written with the intent: what is about to be sent, and who or what let it. */
function started(action: Action, { approval, grantor, inspection }: Cleared): NewEvent {
  const { id, tool, target, arguments: args } = action;
  const by = approval === null ? {} : { approval: approval.id, digest: approval.digest };
  return {
    type: 'action.started',
    actor: 'nightshift',
    data: { action: id, tool, target, arguments: args, uid: inspection.uid, grantor, ...by },
  };
}

interface Cleared {
  readonly call: Call;
  readonly questions: readonly Question[];
  readonly inspection: Inspection;
  /** Null where the policy allows it unasked. */
  readonly approval: Approval | null;
  /** Whose yes it runs on. */
  readonly yes: readonly string[];
  readonly barred: readonly string[];
  readonly grantor: string;
}
