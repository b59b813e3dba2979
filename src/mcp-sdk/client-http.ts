/** A client over Streamable HTTP, with OAuth. */
export { ClientCredentialsProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
export { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
