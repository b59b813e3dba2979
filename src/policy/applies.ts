import type { RiskClass } from '../mcp-tools/index.ts';
import type { PolicyRule, Question } from './question.ts';
import { whyNotEarned } from './record.ts';
import { whyNotMatched } from './scope.ts';
import { whyNotNow } from './windows.ts';

/**
 * Gives each reason why a rule whose tools fit is silent about a call of this effective class while these windows are open, in
 * words; it speaks where there is none. Deciding and explaining both go through here, so that an explanation cannot say anything else than what decided.
 */
export function* whySilent(
  rule: PolicyRule,
  question: Question,
  { risk, open }: { readonly risk: RiskClass; readonly open: ReadonlySet<string> },
): Generator<string> {
  const { risks, record } = rule;
  if (risks.length === 0 ? risk === 'read' : !risks.includes(risk))
    yield `the risk class is ${risk}, not ${risks.join(' or ') || 'one that changes something'}`;
  yield* whyNotMatched(rule, question);
  yield* whyNotNow(rule, open);
  if (record !== null) yield* whyNotEarned(record, question.record);
}
