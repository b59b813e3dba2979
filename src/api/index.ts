/** The REST API that the CLI and other clients speak, and its error answers. Decides nothing by itself. */
export { problemHandler } from './problem.ts';
export { createApi } from './routes.ts';
export { citeAll, showEvent, showIncident, showIncidentWhole } from './show.ts';
