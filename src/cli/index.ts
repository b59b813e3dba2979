/** The command line: starts Nightshift, or talks to a running one through its API. Never opens a running Nightshift's database. */
export type { NightshiftClient } from './client.ts';
export { invocation } from './invocation.ts';
export { loadConfig, withShipped } from './load-config.ts';
export { runCli } from './run.ts';
export type { Terminal } from './terminal.ts';
