/** The REST API that the CLI and other clients speak, its error answers, and what a monitor asks for. Decides nothing by itself. */

export type { ConfigReloader, Reloaded, ReloadState } from './config-routes.ts';
export { createHealthRoutes, type Phase } from './health-routes.ts';
export { createOidcRoutes } from './oidc-routes.ts';
export { describe, errorsOf, openApi } from './openapi.ts';
export { API_ROOT, type Operation } from './operation.ts';
export { OPERATIONS } from './operations/index.ts';
export { problemHandler, refuseUnknown } from './problem.ts';
export { type ApiDependencies, createApi } from './routes.ts';
export { citeAll, showEvent, showIncident, showIncidentWhole } from './show.ts';
