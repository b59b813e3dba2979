import { whySilent } from './applies.ts';
import { builtInRules, NOTHING_ALLOWS, nobodyCanApprove, type Spoken, serviceApprovers } from './built-in-rules.ts';
import { measure, whyNotLimited } from './limits.ts';
import { DECISIONS, type Decision, type Policy, type Question, type Verdict } from './question.ts';
import { effectiveRisk, mostHarmful } from './risk-overrides.ts';
import { speaks } from './scope.ts';
import { openWindows } from './windows.ts';

/**
 * Decides about one call by every rule that speaks; the most restrictive one wins, and silence means `ask`. Pure: it reads no clock,
 * no database and no model. docs/policy.md is its specification.
 */
export function judge(question: Question, policy: Policy): Verdict {
  const risk = effectiveRisk(question, policy.overrides);
  const open = openWindows(policy.windows, question.at);
  const rules = policy.rules.filter((rule) => speaks(rule, question, whySilent(rule, question, { risk, open })));
  const limits = policy.limits.filter((limit) => speaks(limit, question, whyNotLimited(limit, question, risk)));
  const spoke: Spoken[] = [
    ...builtInRules(question, risk),
    ...rules.map(({ name, decision, reason }) => ({ rule: name, decision, why: reason })),
    ...limits.map((limit) => ({
      rule: limit.name,
      decision: limit.decision,
      why: `${limit.reason} (${measure(limit, question).says})`,
    })),
  ];
  if (!spoke.some(({ decision }) => decision === 'allow')) spoke.push(NOTHING_ALLOWS);
  const narrowing = risk !== 'read' && decisionOf(spoke) === 'ask' ? question.serviceApprovers : null;
  if (narrowing !== null) spoke.push(serviceApprovers(narrowing));
  const asking = rules.filter(({ decision }) => decision === 'ask');
  const quorums = asking.map(({ quorum }) => quorum ?? 1);
  const verdict = settle({
    risk,
    spoke,
    approvals: Math.max(risk === 'critical' ? 2 : 1, ...quorums),
    approvers: commonTo([narrowing, ...asking.map(({ approvers }) => approvers)]),
    expirySeconds: shortest(asking.map(({ expirySeconds }) => expirySeconds)),
  });
  // About a read, none of the rules that are always there speaks but the one that allows it.
  return risk === 'read' ? verdict : answerable(verdict);
}

/**
 * Gives the most restrictive of the verdicts about one call for several alerts, with all that each of them demands and every rule that
 * spoke in any.
 * @throws TypeError when there is no verdict at all.
 */
export function strictest(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.length === 0) throw new TypeError('no verdict was given');
  const spoke = new Map<string, Spoken>();
  for (const one of verdicts.flatMap((verdict) => verdict.spoke)) spoke.set(`${one.rule} ${one.decision}`, one);
  const verdict = settle({
    risk: mostHarmful(verdicts.map(({ risk }) => risk)),
    spoke: [...spoke.values()],
    approvals: Math.max(...verdicts.map(({ approvals }) => approvals)),
    approvers: commonTo(verdicts.map(({ approvers }) => approvers)),
    expirySeconds: shortest(verdicts.map(({ expirySeconds }) => expirySeconds)),
  });
  return answerable(verdict);
}

/** Takes the most restrictive decision; whoever must approve is part of the answer only where it is `ask`. */
function settle({ risk, spoke, approvals, approvers, expirySeconds }: Omit<Verdict, 'decision'>): Verdict {
  const decision = decisionOf(spoke);
  if (decision !== 'ask') return { decision, risk, spoke, approvals: 0, approvers: null, expirySeconds: null };
  return { decision, risk, spoke, approvals, approvers, expirySeconds };
}

function decisionOf(spoke: readonly Spoken[]): Decision {
  return DECISIONS.findLast((one) => spoke.some((rule) => rule.decision === one)) as Decision;
}

/** Denies what is asked of fewer people than must approve. */
function answerable(verdict: Verdict): Verdict {
  const { approvers, approvals } = verdict;
  if (approvers === null || approvers.length >= approvals) return verdict;
  return settle({ ...verdict, spoke: [...verdict.spoke, nobodyCanApprove(approvals, approvers)] });
}

/** Gives who stands in every list, sorted and once each; null is no list, and no list at all is null. */
function commonTo(lists: readonly (readonly string[] | null)[]): string[] | null {
  const [first, ...others] = lists.filter((list) => list !== null);
  if (first === undefined) return null;
  return [...new Set(first)].filter((name) => others.every((list) => list.includes(name))).sort();
}

function shortest(seconds: readonly (number | null)[]): number | null {
  const given = seconds.filter((one) => one !== null);
  return given.length === 0 ? null : Math.min(...given);
}
