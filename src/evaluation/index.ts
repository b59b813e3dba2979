/** Recorded incidents worked on again, and how well that went: scenarios, the runs through a whole Nightshift, scores and their intervals. Never touches a system, a running Nightshift's database, or production's tools: its worlds are served by processes that no configuration can name. */
export { checkScenario } from './check-scenario.ts';
export { regressionsSince } from './compare.ts';
export { type RecordedIncident, readRecordedIncident, recordIncident } from './record-incident.ts';
export { type Recording, readRecording } from './recording.ts';
export { renderMiss, renderTable } from './render.ts';
export { keepResults, lastResults } from './results.ts';
export type { StartNightshift } from './run-scenario.ts';
export { runSuite } from './run-suite.ts';
export { readScenario, type Scenario, scenarioFolders } from './scenario.ts';
export type { Score } from './score.ts';
export { RUNBOOK_MODE, refuseEmptyTable, summarizeColumn } from './summarize.ts';
