/** What an incident is: its states, its timeline, its durable working state, and which alerts belong to it. Decides nothing and calls nobody. */
export { findFolds, isFoldable, type Standing } from './cause.ts';
export { correlationKey, describeKey, keySha256 } from './correlate.ts';
export { childrenOf, foldByCause, merge, split, tellWhoHasIt, unfoldAll } from './fold.ts';
export {
  BY_HAND,
  type Check,
  CLOSED_STATES,
  type Context,
  contextSchema,
  type Diagnosis,
  type Incident,
  incidentName,
  isClosed,
  parseIncidentName,
  STATES,
  type State,
  TRANSITIONS,
} from './incident.ts';
export { createJournal } from './journal.ts';
export {
  addMaintenance,
  endMaintenance,
  heldBy,
  listMaintenance,
  type Maintenance,
  replaceMaintenance,
  writeMatcher,
} from './maintenance.ts';
export { plain } from './plain.ts';
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
  countIncidents,
  dropSignals,
  listIncidents,
  loadIncident,
  lockOpenings,
  moveIncident,
  type Opening,
  openIncident,
  openIncidents,
  signalsOf,
} from './store.ts';
export { addEvents, addEventsOf, eventsAfter, followEvents, type StoredEvent } from './timeline.ts';
