import { whySilent } from './applies.ts';
import { judge } from './judge.ts';
import { whyNotLimited } from './limits.ts';
import type { Policy, Question, Verdict } from './question.ts';
import { isAbout, whyNotApplied } from './risk-overrides.ts';
import { toolFits } from './scope.ts';
import { argumentsWithSecrets, mayHoldSecret } from './secrets.ts';
import { openWindows } from './windows.ts';

export interface Explanation {
  readonly verdict: Verdict;
  /** The lines of `risks:` for this tool and target; `why` is null where the line applies. */
  readonly overrides: readonly { readonly name: string; readonly risk: string; readonly why: string | null }[];
  /** The arguments that hold a place holder of a secret, each with the line of `secrets:` that lets it be put back, or null. */
  readonly secrets: readonly { readonly argument: string; readonly line: string | null }[];
  /** The rules and limits of the files that did not speak although they are about this tool, with every reason. */
  readonly silent: readonly { readonly rule: string; readonly why: readonly string[] }[];
}

/** Something that was looked at beside the rules that spoke, and what it says of the call. */
export interface Considered {
  /** A rule, a limit, a line of `risks:` or `secrets:`, or the argument that no line of those names. */
  readonly rule: string;
  readonly says: string;
  readonly why: readonly string[];
}

/** Says what kept each rule and limit about this tool silent, which lines of `risks:` applied, and where secrets may be put back. */
export function considered(question: Question, policy: Policy): Considered[] {
  const { overrides, silent, secrets } = explain(question, policy);
  return [
    ...secrets.map(({ argument, line }) =>
      line === null
        ? {
            rule: argument,
            says: 'holds a redacted secret, and no line of secrets: lets it be put back there',
            why: [],
          }
        : { rule: line, says: `lets the secret in ${argument} be put back when it is sent`, why: [] },
    ),
    ...overrides.map(({ name, risk, why }) =>
      why === null
        ? { rule: name, says: `makes it ${risk}`, why: [] }
        : { rule: name, says: `does not make it ${risk}`, why: [why] },
    ),
    ...silent.map(({ rule, why }) => ({ rule, says: 'did not speak', why })),
  ];
}

/** Judges a question and says, for every rule and limit about this tool that did not speak, each reason for its silence. */
export function explain(question: Question, policy: Policy): Explanation {
  const verdict = judge(question, policy);
  const { risk } = verdict;
  const open = openWindows(policy.windows, question.at);
  const reasons = [
    ...policy.rules.map((rule) => ({ rule, why: [...whySilent(rule, question, { risk, open })] })),
    ...policy.limits.map((rule) => ({ rule, why: [...whyNotLimited(rule, question, risk)] })),
  ];
  return {
    verdict,
    overrides: policy.overrides
      .filter((line) => isAbout(line, question))
      .map((line) => ({ name: line.name, risk: line.risk, why: whyNotApplied(line, question) })),
    secrets: argumentsWithSecrets(question.call.arguments).map((argument) => ({
      argument,
      line: mayHoldSecret(policy, { tool: question.call.tool, argument })?.name ?? null,
    })),
    silent: reasons
      .filter(({ rule, why }) => toolFits(rule.tools, question.call.tool) && why.length > 0)
      .map(({ rule, why }) => ({ rule: rule.name, why })),
  };
}
