/** A server over Streamable HTTP, with the SDK's own bookkeeping of tools, resources and prompts. */
export { completable } from '@modelcontextprotocol/sdk/server/completable.js';
export { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
export { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
