import type { CallToolResult, RequestHandlerExtra, ServerNotification, ServerRequest } from '../mcp-sdk/index.ts';
import type { McpServer } from '../mcp-sdk/server-http.ts';
import { inSpan, NO_TRACER, parseTraceparent, type Tracer } from '../telemetry/index.ts';

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;
type Handler = (...given: [...unknown[], Extra]) => CallToolResult | Promise<CallToolResult>;

/**
 * Makes every tool that is added from now on run within a span, below the caller's own where that says which it is: in `_meta` of
 * the request, or in the header of the same name.
 */
export function traceTools(server: McpServer, tracer: Tracer): void {
  if (tracer === NO_TRACER) return;
  const register = server.registerTool.bind(server) as (name: string, about: object, handler: Handler) => unknown;
  const registerTraced = (name: string, about: object, handler: Handler) =>
    register(name, about, (...given) => traced(tracer, name, given.at(-1) as Extra, async () => handler(...given)));
  server.registerTool = registerTraced as typeof server.registerTool;
}

async function traced(
  tracer: Tracer,
  tool: string,
  { _meta: meta, requestInfo, requestId, sessionId }: Extra,
  run: () => Promise<CallToolResult>,
): Promise<CallToolResult> {
  const attributes = {
    'mcp.method.name': 'tools/call',
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': tool,
    'mcp.session.id': sessionId,
    'jsonrpc.request.id': String(requestId),
    'network.transport': 'tcp',
    'network.protocol.name': 'http',
  };
  const parent = parseTraceparent(meta?.traceparent) ?? parseTraceparent(requestInfo?.headers.traceparent);
  return inSpan(tracer.start(`tools/call ${tool}`, parent, { kind: 'server', attributes }), async (span) => {
    const result = await run();
    if (result.isError) span.fail('tool_error', 'the tool answered with an error');
    return result;
  });
}
