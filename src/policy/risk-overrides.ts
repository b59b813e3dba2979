import { RISK_CLASSES, type RiskClass } from '../mcp-tools/index.ts';
import { isYounger } from './limits.ts';
import type { Question, RiskOverride } from './question.ts';

/** Gives the most harmful of some risk classes, and `read` of none. */
export function mostHarmful(classes: readonly RiskClass[]): RiskClass {
  return RISK_CLASSES.findLast((one) => classes.includes(one)) ?? 'read';
}

/** Gives the risk class of a call after the lines of `risks:`: the most harmful of those that apply, else the declared one. */
export function effectiveRisk(question: Question, overrides: readonly RiskOverride[]): RiskClass {
  const given = overrides.filter((line) => whyNotApplied(line, question) === null).map(({ risk }) => risk);
  return given.length === 0 ? question.call.risk : mostHarmful(given);
}

/** Tells whether a line of `risks:` names exactly this call's tool and target. */
export function isAbout({ tool, target }: RiskOverride, { call }: Question): boolean {
  return tool === call.tool && target === call.target;
}

/** Gives the reason why a line of `risks:` does not apply to this call, in words, or null where it does. */
export function whyNotApplied(line: RiskOverride, question: Question): string | null {
  const { call, recent, at } = question;
  if (!isAbout(line, question)) return 'it is about another tool or target';
  if (call.risk === 'read' || call.risk === 'forbidden') return `${call.risk} is never changed`;
  if (mostHarmful([line.risk, call.risk]) === line.risk) return null;
  if (line.limit === null) return 'what lowers a class needs a limit';
  const { runs, withinSeconds } = line.limit;
  const count = recent.filter(
    (run) => run.tool === line.tool && run.target === line.target && isYounger(run.at, at, withinSeconds),
  ).length;
  return count < runs ? null : `${count} run(s) in ${withinSeconds} s (limit ${runs})`;
}
