/** Looks at everything that must be in order for Nightshift to work, and says how to mend what is not. Never changes anything, and never shows a secret. */
export { examineDatabase } from './database.ts';
export { type Check, type Finding, fail, findingSchema, ok, runChecks, warn } from './finding.ts';
export { machineChecks } from './machine.ts';
export { outsideChecks } from './outside.ts';
export { serverChecks } from './server.ts';
export { toolChecks } from './tools.ts';
