/** Runs one cleared action through its MCP tool, at most once. Never runs what was not cleared, and never repeats what it is unsure of. */
export { createExecute, type ExecuteDependencies } from './execute.ts';
export { finishIntent } from './intent.ts';
export { knowSentSecrets } from './put-back-secrets.ts';
