/** Asks people about one exact action and records their answer, once. Never decides for them, and never runs anything. */
export {
  type Approval,
  approvalOf,
  endApproval,
  listApprovals,
  useApproval,
  type Vote,
} from './approval.ts';
export { createAwaitDecision } from './await-decision.ts';
export { describeSecret, renderCard, whoMayApprove } from './card.ts';
export { decide } from './decide.ts';
export { createJudgePlan } from './judge-plan.ts';
export { boundFields, digestOf, type Subject } from './subject.ts';
export { type Decision, refusalOf } from './vote.ts';
