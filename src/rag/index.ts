/** Runbooks and past incidents, read, indexed and found again by what an alert says. Never acts, and never asks a model. */
export { alertsFor, type BoundRemedy, type BoundStep, bindChecks, bindRemedies, callFingerprint } from './bind.ts';
export { type Chunk, chunkMarkdown } from './chunk.ts';
export { type Embedder, hashEmbedder } from './embed.ts';
export { findRunbookFiles } from './find-files.ts';
export { type Sync, syncRunbooks } from './index-runbooks.ts';
export { lintAgainstTools } from './lint.ts';
export {
  type PastIncident,
  type RememberedIncident,
  ratePastIncident,
  rememberIncident,
  retrievePastIncidents,
} from './past-incidents.ts';
export { createPinOf, type Pin, type PinOf, pinRunbooks } from './pin.ts';
export type { Query } from './query.ts';
export { type Found, retrieveRunbooks } from './retrieve.ts';
export { type Check, parseRunbook, type Remedy, type Runbook, type Step } from './runbook.ts';
export { matchingRunbooks, runbookByPath } from './store.ts';
