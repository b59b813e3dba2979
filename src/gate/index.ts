/** Puts the facts of one action before the policy, and holds the kill switch. Never asks people, and never sends anything. */
export { type ActionBudget, actionBudgets } from './budgets.ts';
export { type ExplainedCall, explainCall } from './explain-call.ts';
export { type GateDependencies, type Judged, judgeAction, judgeAgain } from './judge-action.ts';
export { createKillSwitch, type KillState, type KillSwitch, killRow } from './kill-switch.ts';
export { countRuns } from './recent-runs.ts';
export { type ShadowReport, shadowReport } from './shadow.ts';
export { readStanding, type Standing, type StandingAction } from './standing.ts';
export { questionSchema, rejudge, type StoredJudgement, storedJudgements, toStored } from './stored-questions.ts';
export { type TrackRecord, trackRecords } from './track-record.ts';
