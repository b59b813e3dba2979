import type { Labels } from '../alert/index.ts';
import type { AutonomyMode } from '../config/index.ts';
import type { RiskClass, Tool } from '../mcp-tools/index.ts';
import type { Policy, PolicyRule } from './question.ts';
import { toolFits, whyNotMatched } from './scope.ts';

/** A tool before anybody has said with which arguments and on what target it would be called. */
export interface Offer {
  readonly tool: Pick<Tool, 'name' | 'risk'>;
  readonly instance: string;
  /** Labels of the alert that a call would be for. */
  readonly labels: Labels;
  readonly mode: AutonomyMode;
}

/**
 * Gives the rule that denies every change by a tool for an alert, whatever its arguments, its target, the time and the record are, or null
 * where some call of it might run or be asked about. What depends on any of these (windows, limits, matchers on arguments, overrides of
 * single targets) never counts here: that is for `judge` to say about a whole call. Pure.
 */
export function deniedWhatever({ tool, instance, labels, mode }: Offer, policy: Policy): string | null {
  if (mode === 'observe') return 'mode-observe';
  const risks = possibleRisks(tool, policy);
  if (risks.every((risk) => risk === 'forbidden')) return 'risk-forbidden';
  const denies = (rule: PolicyRule) =>
    rule.decision === 'deny' &&
    rule.during.length + rule.outside.length === 0 &&
    toolFits(rule.tools, tool.name) &&
    (rule.risks.length === 0 || risks.every((risk) => rule.risks.includes(risk))) &&
    // An argument of that name would hide nothing: these two are always the call's own.
    rule.callMatchers.every(({ label }) => label === 'tool' || label === 'instance') &&
    whyNotMatched(rule, { labels, call: { tool: tool.name, instance, target: '', arguments: {} } }).next().done ===
      true;
  return policy.rules.find(denies)?.name ?? null;
}

/** Every class that a call may have in the end: the declared one, or any where that depends on the arguments, and those that overrides may give. */
function possibleRisks({ name, risk }: Offer['tool'], { overrides }: Policy): RiskClass[] {
  const declared: readonly RiskClass[] =
    typeof risk === 'function' ? ['safe', 'destructive', 'critical', 'forbidden'] : [risk];
  if (declared.every((one) => one === 'forbidden')) return [...declared];
  const given = overrides.filter((line) => line.tool === name).map((line) => line.risk);
  return [...declared, ...given];
}
