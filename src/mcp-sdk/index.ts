/** What is used of the MCP SDK, and where in it that stands, so that its next major version changes nothing else; one file for each kind of use, because a toolset's process must not load what it does not use. It adds nothing of its own and never leaves `mcp-tools/` and `mcp-server/`. */
export type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
export type { FetchLike, Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
export {
  CallToolRequestSchema,
  type CallToolResult,
  CallToolResultSchema,
  ErrorCode,
  isInitializeRequest,
  ListToolsRequestSchema,
  McpError,
  PingRequestSchema,
  type ServerNotification,
  type ServerRequest,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
