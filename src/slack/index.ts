/** Slack as one more door: threads that show what is stored, and buttons that pass people's words on. Never decides anything, and never runs anything. */

export { checkSlack, type SlackCheck } from './connect.ts';
export { createSlackIncoming, type SlackIncoming } from './incoming.ts';
export { renderManifest } from './manifest.ts';
export { createSlackOutgoing, type SlackOutgoing } from './outgoing.ts';
export type { SlackPorts } from './ports.ts';
