/** The console's files, built from web/ where that is needed, and the door that hands them out. Knows nothing of incidents. */
export { type Console, createConsole } from './console.ts';
