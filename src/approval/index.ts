/** Asks people about one exact action and records their answer, once. Never decides for them, and never runs anything. */
export {
  type Approval,
  approvalOf,
  digestOf,
  endApproval,
  listApprovals,
  type Subject,
  useApproval,
  type Vote,
} from './approval.ts';
export { createAwaitDecision } from './await-decision.ts';
export { renderCard, whoMayApprove } from './card.ts';
export { type Decision, decide } from './decide.ts';
export { createJudgePlan } from './judge-plan.ts';
