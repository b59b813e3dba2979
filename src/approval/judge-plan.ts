import { type GateDependencies, type Judged, judgeAction, readStanding, toStored } from '../gate/index.ts';
import { beginVerification, escalate, isFiring, type NewEvent, type Outcome, type Stage } from '../incident/index.ts';
import { type Action, restoreSecrets, setAction } from '../planning/index.ts';
import type { Verdict } from '../policy/index.ts';
import type { Metrics } from '../telemetry/index.ts';
import { addApproval, draftApproval } from './approval.ts';
import { renderCard } from './card.ts';

/** Makes the stage that judges a plan: it begins only when no action in it is denied, and then each is judged again at its turn. */
export function createJudgePlan(dependencies: GateDependencies & { metrics: Metrics }): Stage {
  const { db, config, policy, metrics } = dependencies;
  return async ({ incident, alerts }) => {
    if (!isFiring(alerts)) return beginVerification('alert');
    const standing = await readStanding(db, incident, alerts);
    const left = standing.actions.filter(
      ({ attempt, status }) => attempt === incident.context.attempt && status === 'proposed',
    );
    const all = await Promise.all(
      left.map(async (action) => ({ action, ...(await judgeAction(action, alerts, { ...dependencies, standing })) })),
    );
    const judged = all.filter(({ obsolete }) => !obsolete);
    const cancelObsolete = async () => {
      for (const { action, obsolete } of all) if (obsolete) await setAction(db, action.id, { status: 'cancelled' });
    };
    const events = all.map(({ action, verdict }) => decided(action, verdict));
    for (const { action, verdict } of all) metrics.decisions.inc({ tool: action.tool, decision: verdict.decision });

    const refused = judged.find(({ verdict }) => verdict.decision === 'deny');
    const [next] = judged;
    if (!next) return { ...beginVerification('alert'), write: cancelObsolete };
    if (refused || next.call === null) return refuse(refused ?? next, all, events);
    if (next.verdict.decision === 'allow') {
      return {
        state: 'acting',
        events,
        write: async () => {
          await cancelObsolete();
          await setAction(db, next.action.id, { status: 'allowed', ...judgedBy(next) });
        },
      };
    }
    const restored = restoreSecrets(next.call, alerts, policy);
    // Nobody should agree to a secret that they are told nothing about.
    if (!restored.ok) {
      const { tool, target } = next.action;
      const reason = `${tool} on ${target} cannot be asked about: ${restored.message}`;
      return { ...escalate(reason), events, write: () => cancel(all) };
    }
    const terms = {
      call: next.call,
      risk: next.verdict.risk,
      verdict: next.verdict,
      inspection: next.inspection,
      barred: next.barred,
      secrets: restored.putBack,
      policySha256: policy.sha256,
      ttlSeconds: config.approval.ttlSeconds,
      now: await db.now(),
    };
    const approval = draftApproval(next.action, terms);
    const card = renderCard(approval, next.action, { title: incident.title, spoke: next.verdict.spoke });
    return {
      state: 'awaiting_approval',
      events: [
        ...events,
        {
          type: 'approval.requested',
          actor: 'nightshift',
          data: {
            approval: approval.id,
            action: next.action.id,
            digest: approval.digest,
            card,
            required: approval.required,
            expiresAt: approval.expiresAt,
          },
        },
      ],
      messages: [{ kind: 'approval_requested', text: card.join('\n') }],
      write: async () => {
        await cancelObsolete();
        await setAction(db, next.action.id, { status: 'asked', ...judgedBy(next) });
        await addApproval(db, approval);
      },
    };
  };

  async function cancel(judged: readonly ({ action: Action } & Judged)[]): Promise<void> {
    for (const one of judged) {
      await setAction(db, one.action.id, {
        // What is obsolete was refused by nobody, and may be planned again when its alert fires again.
        status: one.verdict.decision === 'deny' && !one.obsolete && !isOutdated(one) ? 'denied' : 'cancelled',
        ...judgedBy(one),
      });
    }
  }

  function refuse(
    refused: { action: Action } & Judged,
    judged: readonly ({ action: Action } & Judged)[],
    events: NewEvent[],
  ): Outcome {
    const write = () => cancel(judged);
    const because = refused.verdict.spoke.find(({ decision }) => decision === 'deny');
    const { tool, target } = refused.action;
    if (because?.rule === 'kill-switch')
      return { ...escalate(`${tool} on ${target} did not run: ${because.why}`), events, write };
    if (because?.rule !== 'mode-observe') return { state: 'diagnosed', events, write };
    const reason = `observe mode: ${tool} on ${target} would have been next, and a person can do it`;
    return { ...escalate(reason), events, write };
  }
}

/** Its tool is declared otherwise since, as after an upgrade; nobody has refused it as it is declared now, so it may be planned anew. */
function isOutdated({ verdict }: Judged): boolean {
  return verdict.spoke.some(({ rule }) => rule === 'tool-changed');
}

/** What an action was judged by, kept with it: `policy explain` and `policy replay` read it back. */
function judgedBy(judged: Judged) {
  const { verdict, questions } = judged;
  return {
    decision: verdict,
    questions: toStored(questions),
    ...(judged.call === null ? {} : { inspection: judged.inspection }),
  };
}

function decided(action: Action, verdict: Verdict): NewEvent {
  const data = {
    action: action.id,
    tool: action.tool,
    target: action.target,
    arguments: action.arguments,
    ...verdict,
  };
  return { type: 'policy.decided', actor: 'nightshift', data };
}
