import { messageOf } from '../errors.ts';
import { StreamableHTTPClientTransport } from '../mcp-sdk/client-http.ts';
import { StdioServerTransport } from '../mcp-sdk/server.ts';

/**
 * Speaks MCP on standard input and output for the running server at `url`, by handing every message on, until its input ends. There is
 * one implementation of the tools, and it is the server's.
 */
export async function bridgeStdio(url: string, token: string, warn: (message: string) => void): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const inside = new StdioServerTransport();
  const outside = new StreamableHTTPClientTransport(new URL('/mcp', url), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  inside.onmessage = (message) => {
    outside.send(message).catch((error: unknown) => {
      warn(`the server did not take a message: ${messageOf(error)}`);
      if ('id' in message && 'method' in message && message.id !== undefined)
        void inside.send({ jsonrpc: '2.0', id: message.id, error: { code: -32_000, message: messageOf(error) } });
    });
  };
  outside.onmessage = (message) => void inside.send(message);
  outside.onerror = (error) => warn(messageOf(error));
  process.stdin.once('end', () => ended.resolve());
  await outside.start();
  await inside.start();
  await ended.promise;
  await outside.terminateSession().catch(() => {});
  await outside.close();
  await inside.close();
}
