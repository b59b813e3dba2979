/**
 * A call of a tool as OpenTelemetry's conventions for MCP show it.
 * @see https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/mcp.md
 */
import { currentTraceparent, withSpan } from '../telemetry/index.ts';
import type { CallResult, InspectResult } from './call-result.ts';
import type { Call } from './catalogue.ts';
import type { Remote } from './remote.ts';

/** Runs a call within a span of its own; `remote` is where its toolset runs, if not here. */
export async function traceCall<R extends CallResult | InspectResult>(
  call: Call,
  remote: Remote | undefined,
  run: () => Promise<R>,
): Promise<R> {
  const at = remote ? new URL(`tls://${remote.address}`) : null;
  const attributes = {
    'mcp.method.name': 'tools/call',
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': call.tool,
    'network.transport': at ? 'tcp' : 'pipe',
    'server.address': at?.hostname.replace(/^\[(.*)\]$/, '$1'),
    'server.port': at ? Number(at.port) : null,
    'nightshift.toolset': call.instance,
    'nightshift.target': call.target,
    'nightshift.risk': call.risk,
  };
  return withSpan(`tools/call ${call.tool}`, { kind: 'client', attributes }, async (span) => {
    span.setContent(() => ({ 'gen_ai.tool.call.arguments': call.arguments }));
    const ended: CallResult | InspectResult = await run();
    // A look at what a call would meet, which runs nothing.
    if ('ok' in ended)
      span.set({ 'nightshift.inspection': true, 'nightshift.outcome': ended.ok ? 'succeeded' : 'failed' });
    else span.set({ 'nightshift.outcome': ended.outcome });
    if ('error' in ended)
      span.fail('outcome' in ended && ended.outcome === 'unknown' ? 'outcome_unknown' : 'tool_error', ended.error);
    else
      span.setContent(() => ({
        'gen_ai.tool.call.result': 'ok' in ended ? ended.inspection : ended.result,
      }));
    return ended as R;
  });
}

/** Gives what a request's `_meta` says of where it belongs, which is nothing where nothing is traced. */
export function traceMeta(): { readonly traceparent?: string } {
  const traceparent = currentTraceparent();
  return traceparent === undefined ? {} : { traceparent };
}
