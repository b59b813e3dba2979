/** What an incident is: its states, its timeline, its durable working state, and which alerts belong to it. Decides nothing and calls nobody. */
export { correlationKey, describeKey, keySha256 } from './correlate.ts';
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
  addEvents,
  addMessages,
  addSignal,
  alertsOf,
  countIncidents,
  dropSignals,
  eventsAfter,
  listIncidents,
  loadIncident,
  moveIncident,
  openIncident,
  type StoredEvent,
  signalsOf,
} from './store.ts';
