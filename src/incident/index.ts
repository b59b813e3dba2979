/** What an incident is: its states, its timeline, its durable working state, and which alerts belong to it. Decides nothing and calls nobody. */
export { findFolds, isFoldable, type Standing } from './cause.ts';
export { correlationKey, describeKey, keySha256 } from './correlate.ts';
export { childrenOf, foldByCause, merge, split, tellWhoHasIt, unfoldAll } from './fold.ts';
export { createFollower, type Follower } from './follow.ts';
export {
  ABOUT_ITSELF,
  BY_HAND,
  type Check,
  CLOSED_STATES,
  type Context,
  contextSchema,
  type Diagnosis,
  Foreign,
  type Glimpse,
  type Incident,
  incidentName,
  isClosed,
  type Note,
  parseIncidentName,
  STATES,
  type State,
  TRANSITIONS,
  type Triage,
} from './incident.ts';
export { createJournal } from './journal.ts';
export {
  addMaintenance,
  endMaintenance,
  heldBy,
  isAbout,
  listMaintenance,
  type Maintenance,
  replaceMaintenance,
  writeMatcher,
} from './maintenance.ts';
export { type Move, moveIncident } from './move.ts';
export { holdOpenings, lockOpenings, type Opening, openIncident, openIncidents } from './open.ts';
export { plain, plainUpTo } from './plain.ts';
export { handOverUnbegun } from './shed.ts';
export {
  beginVerification,
  escalate,
  isFiring,
  type Journal,
  type Message,
  type NewEvent,
  type Outcome,
  type Signal,
  type Stage,
  type StoredAlert,
  type Work,
} from './stage.ts';
export {
  addMessages,
  addSignal,
  addSignals,
  alertsOf,
  allAlertsOf,
  countIncidents,
  type IncidentRow,
  incidentColumns,
  listIncidents,
  loadForStage,
  loadIncident,
  signalsOf,
  timeOf,
  toIncident,
} from './store.ts';
export { addEvents, addEventsOf, type Change, eventsAfter, followEvents, type StoredEvent } from './timeline.ts';
export { renderEvent, type ShownEvent, wordsOf } from './words.ts';
