/** Turns a diagnosis into the next remedy: ordered actions bound to one system each. Judges nothing and runs nothing. */
export {
  type Action,
  type ActionStatus,
  actionRows,
  actionsAndRunbooks,
  actionsOf,
  addActions,
  type DraftAction,
  setAction,
  setEffect,
  shortId,
  toAction,
} from './action.ts';
export { decidingChecks } from './checks.ts';
export { createPlan } from './plan.ts';
export { type PutBack, restoreSecrets } from './secrets.ts';
export { isSameCall } from './sort-calls.ts';
export { doneOf, toolChecksOf, undoOf } from './undo.ts';
