/** Nightshift as an MCP server, for assistants in editors and chats: they look, search and propose. What changes anything passes the same gate as ever, and nobody approves here. */
export { createMcpRouter } from './http.ts';
export { createResourceServer } from './oauth.ts';
export type { McpExtension } from './server.ts';
export { bridgeStdio } from './stdio.ts';
