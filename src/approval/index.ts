/** Asks people about one exact action and records their answer, once. Never decides for them, and never runs anything. */
export {
  type Approval,
  approvalOf,
  digestOf,
  endApproval,
  listApprovals,
  type Subject,
} from './approval.ts';
export { createAwaitDecision } from './await-decision.ts';
export { renderCard } from './card.ts';
export { type Decision, decide } from './decide.ts';
export { countRuns, type JudgeDependencies, judgeAction } from './judge-action.ts';
export { createJudgePlan } from './judge-plan.ts';
