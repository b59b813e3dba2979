import { type Labels, matchesLabels } from '../alert/index.ts';
import type { AutonomyMode } from '../config/index.ts';
import type { Call } from '../mcp-tools/index.ts';
import type { PolicyRule } from './rules.ts';

export const DECISIONS = ['allow', 'ask', 'deny'] as const;
export type Decision = (typeof DECISIONS)[number];

/** Everything a decision depends on; nothing in it comes from a model except which call is asked about. */
export interface Question {
  readonly call: Pick<Call, 'tool' | 'risk' | 'target'>;
  /** Labels of the alert that the call is for. */
  readonly labels: Labels;
  readonly mode: AutonomyMode;
  /** Whether a matching runbook declares exactly this call as a step. */
  readonly declaredByRunbook: boolean;
  /** Runs on this target so far, read from our own intents, and how many may go unasked. */
  readonly runs: { readonly tenMinutes: number; readonly day: number };
  readonly limits: { readonly perTargetTenMinutes: number; readonly perTargetDay: number };
}

export interface Verdict {
  readonly decision: Decision;
  /** How many people must approve: 0 unless the decision is `ask`. */
  readonly approvals: 0 | 1 | 2;
  /** Every rule that spoke, with what it said. */
  readonly spoke: readonly { readonly rule: string; readonly decision: Decision; readonly why: string }[];
}

/** Decides about one call by every rule that speaks; the most restrictive one wins, and silence means `ask`. Pure. */
export function judge(question: Question, rules: readonly PolicyRule[]): Verdict {
  const { risk } = question.call;
  const fromFiles = rules
    .filter((rule) => applies(rule, question))
    .map(({ name, decision, reason }) => ({ rule: name, decision, why: reason }));
  const spoke = [...builtIn(question), ...fromFiles];
  if (!spoke.some(({ decision }) => decision === 'allow')) {
    spoke.push({ rule: 'nothing-allows', decision: 'ask', why: 'no rule allows this call, so a person is asked' });
  }
  const decision = spoke.reduce<Decision>(
    (worst, one) => (DECISIONS.indexOf(one.decision) > DECISIONS.indexOf(worst) ? one.decision : worst),
    'allow',
  );
  const approvals = decision !== 'ask' ? 0 : risk === 'critical' ? 2 : 1;
  return { decision, approvals, spoke };
}

/** Gives the most restrictive of several verdicts about one call, with every rule that spoke in any of them. */
export function strictest(verdicts: readonly Verdict[]): Verdict {
  const spoke = new Map(
    verdicts.flatMap((verdict) => verdict.spoke.map((one) => [`${one.rule} ${one.decision}`, one])),
  );
  const worst = verdicts.reduce((a, b) => (DECISIONS.indexOf(b.decision) > DECISIONS.indexOf(a.decision) ? b : a));
  const approvals =
    worst.decision === 'ask' ? (Math.max(...verdicts.map((verdict) => verdict.approvals)) as Verdict['approvals']) : 0;
  return { decision: worst.decision, approvals, spoke: [...spoke.values()] };
}

function applies(rule: PolicyRule, { call, labels }: Question): boolean {
  const toolFits =
    rule.tools.length === 0 ||
    rule.tools.some((tool) => tool === call.tool || (tool.endsWith('.*') && call.tool.startsWith(tool.slice(0, -1))));
  const riskFits = rule.risks.length === 0 || rule.risks.includes(call.risk);
  return toolFits && riskFits && matchesLabels(rule.matchers, labels);
}

type Spoken = Verdict['spoke'][number];

function builtIn({ call, mode, declaredByRunbook, runs, limits }: Question): Spoken[] {
  if (call.risk === 'read') return [{ rule: 'reads-are-free', decision: 'allow', why: 'it changes nothing' }];
  const spoke: Spoken[] = [];
  if (call.risk === 'forbidden')
    spoke.push({ rule: 'risk-forbidden', decision: 'deny', why: 'this tool never runs with these arguments' });
  if (call.risk === 'destructive')
    spoke.push({ rule: 'risk-destructive', decision: 'ask', why: 'it changes or deletes what cannot be brought back' });
  if (call.risk === 'critical') spoke.push({ rule: 'risk-critical', decision: 'ask', why: 'two people must agree' });
  if (mode === 'observe') spoke.push({ rule: 'mode-observe', decision: 'deny', why: 'Nightshift only observes here' });
  if (mode === 'ask') spoke.push({ rule: 'mode-ask', decision: 'ask', why: 'every change needs a person here' });
  if (!declaredByRunbook)
    spoke.push({ rule: 'not-in-a-runbook', decision: 'ask', why: 'no matching runbook declares this step' });
  if (runs.tenMinutes >= limits.perTargetTenMinutes) {
    spoke.push({
      rule: 'limit-ten-minutes',
      decision: 'ask',
      why: `${runs.tenMinutes} run(s) on ${call.target} in ten minutes (limit ${limits.perTargetTenMinutes})`,
    });
  }
  if (runs.day >= limits.perTargetDay) {
    spoke.push({
      rule: 'limit-day',
      decision: 'ask',
      why: `${runs.day} run(s) on ${call.target} in a day (limit ${limits.perTargetDay})`,
    });
  }
  return spoke;
}

/** Gives the autonomy mode for these labels: the most cautious of the global one and of all that match. */
export function modeFor(
  labels: Labels,
  base: AutonomyMode,
  overrides: readonly { readonly matchers: PolicyRule['matchers']; readonly mode: AutonomyMode }[],
): AutonomyMode {
  const order: readonly AutonomyMode[] = ['auto', 'ask', 'observe'];
  const fitting = overrides.filter(({ matchers }) => matchesLabels(matchers, labels)).map(({ mode }) => mode);
  return [base, ...fitting].reduce((worst, one) => (order.indexOf(one) > order.indexOf(worst) ? one : worst));
}
