/** Runbooks and past incidents, read, indexed and found again by what an alert says. Never acts, and never asks a model. */
export {
  alertsFor,
  type BoundRemedy,
  type BoundStep,
  bindChecks,
  bindRemedies,
  callFingerprint,
  fillTemplates,
} from './bind.ts';
export { type Chunk, chunkMarkdown } from './chunk.ts';
export { contradictionsOf, describeContradictions } from './contradictions.ts';
export { type Embedder, hashEmbedder } from './embed.ts';
export { embedAll } from './embed-keeper.ts';
export { createEmbedder } from './embed-remotely.ts';
export { type EmbedderState, listEmbedders } from './embed-state.ts';
export {
  claimsAt,
  type Evaluation,
  evaluate,
  type LabelledAlert,
  queryOf,
  readLabelledAlerts,
  summarize,
  unknownGold,
} from './eval.ts';
export { findRunbookFiles, locate } from './find-files.ts';
export { type Sync, syncRunbooks } from './index-runbooks.ts';
export { describeFlags, type Flag, findInstructions } from './instructions.ts';
export { type Finding, lintRunbooks } from './lint.ts';
export { fileNameFor, newRunbook, type Seen } from './new-runbook.ts';
export { citeLines, type Origin, originsOf } from './origin.ts';
export {
  type PastIncident,
  type RatedOutcome,
  type RememberedIncident,
  ratePastIncident,
  rememberIncident,
  retrievePastIncidents,
} from './past-incidents.ts';
export { createPinOf, type Pin, type PinOf, pinRunbooks } from './pin.ts';
export { type Query, SIGNALS, type Signal } from './query.ts';
export {
  describeRecord,
  type FailingRunbook,
  failingRunbooks,
  keepOutcomes,
  type RemedyOutcome,
  type RemedyRecord,
  type RemedyResult,
  recordsOf,
  withdrawCredit,
} from './remedy-record.ts';
export { type Found, rankRunbooks, retrieveRunbooks, type Why } from './retrieve.ts';
export { type Check, parseRunbook, type Remedy, type Runbook, type Step } from './runbook.ts';
export { isFileOfUrl, pathsOfUrl } from './runbook-url.ts';
export { createShelf, type Shelf, type ShelvedRunbook } from './shelf.ts';
export { reachRemote, stateOf } from './sources.ts';
export { bySpecificity, matchingOf, matchingRows, matchingRunbooks, runbookByPath } from './store.ts';
export { type UncoveredAlert, uncoveredAlerts } from './uncovered.ts';
export { createRunbookKeeper, type RunbookKeeper } from './watch.ts';
