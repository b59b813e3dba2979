/** An MCP server of somebody else's, over Streamable HTTP, that notes for which trace it was asked. */
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { listen } from '../support/doubles.ts';

export interface NotingServer {
  readonly url: string;
  /** What each call of its tool said of where it belongs, in its `_meta` and in the header of its request. */
  readonly calls: { readonly meta: unknown; readonly header: unknown }[];
  stop(): void;
}

/** Starts the server, whose only tool `count` always counts 0. */
export async function startNotingServer(): Promise<NotingServer> {
  const calls: NotingServer['calls'] = [];
  const server = createServer(async (request, response) => {
    const { traceparent: header } = request.headers;
    if (request.method !== 'POST') return response.writeHead(405).end();
    const mcp = new McpServer({ name: 'noting', version: '1' });
    const about = { description: 'Counts the notes.', inputSchema: {}, annotations: { readOnlyHint: true } };
    mcp.registerTool('count', about, (_args, { _meta: meta }) => {
      calls.push({ meta: meta?.traceparent, header });
      return { content: [], structuredContent: { count: 0 } };
    });
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    await mcp.connect(transport as never);
    return transport.handleRequest(request, response, await json(request));
  });
  const host = await listen(server);
  return {
    url: `http://${host}/mcp`,
    calls,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
