import { createPublicKey } from 'node:crypto';
import { z } from 'zod';
import { messageOf, NightshiftError } from '../errors.ts';
import {
  CallToolRequestSchema,
  type CallToolResult,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
  type Transport,
} from '../mcp-sdk/index.ts';
import { Server } from '../mcp-sdk/server.ts';
import { createAdmit } from './admit.ts';
import { CLEARANCE_META } from './clearance.ts';
import { handOnTrace } from './handed-on.ts';
import { INSPECT_META, INSPECT_SECONDS_MAX } from './inspection.ts';
import { type Inspection, OutcomeUnknown, riskOf, type Tool, type Toolset, toolsOf } from './tool.ts';

const NOTHING_FOUND: Inspection = { uid: null, population: null, preview: null };

/** One instance of a toolset, and what clearances for it are verified with. */
export interface ServedInstance {
  readonly name: string;
  readonly toolset: Toolset;
  /** As configured; the toolset's schema reads them. */
  readonly settings: unknown;
  readonly declarations: readonly unknown[];
  /** PEM. */
  readonly publicKey: string;
  /** How far the clock of whoever signs may be ahead of ours; 0 in a process of the same host. */
  readonly clockSkewSeconds: number;
}

/** A toolset instance as an MCP server, for one client or several. */
export interface ToolsetServer {
  /** Serves one more client, until its transport closes. */
  connect(transport: Transport): Promise<void>;
  /** Lets no further change begin, and settles when every one that has begun has ended. */
  settled(): Promise<void>;
}

/**
 * Makes the MCP server of one toolset instance. Without a clearance it lists and runs nothing but `read` tools; a clearance is good
 * for one call, whichever client brings it.
 * @throws NightshiftError `invalid_config` for what the instance declares for itself; ZodError for its settings.
 */
export function createToolsetServer(instance: ServedInstance): ToolsetServer {
  const { name: instanceName, toolset, declarations, publicKey, clockSkewSeconds } = instance;
  const settings = toolset.settings.parse(instance.settings);
  const offered = toolsOf(toolset, { name: instanceName, settings, declarations });
  const tools = new Map(offered.map((tool) => [tool.name, tool]));
  const underWay = new Set<Promise<unknown>>();
  let isEnding = false;
  const admit = createAdmit({
    instance: instanceName,
    settings,
    publicKey: createPublicKey(publicKey),
    clockSkewSeconds,
  });

  const call = async (
    { name, arguments: given = {}, _meta: meta }: z.infer<typeof CallToolRequestSchema>['params'],
    signal: AbortSignal,
  ): Promise<CallToolResult> => {
    const tool = tools.get(name);
    if (!tool) throw new NightshiftError('tool_refused', `${instanceName} has no tool ${name}`);
    const parsed = tool.input.safeParse(given);
    if (!parsed.success) throw new NightshiftError('tool_refused', `${name}: ${z.prettifyError(parsed.error)}`);
    const input = parsed.data;
    const within = (seconds: number) => ({
      settings,
      signal: AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]),
    });
    // Decided first and once: what is asked for as an inspection can never come to run.
    if (meta?.[INSPECT_META] === true)
      return answer({ ...((await tool.inspect?.(input, within(INSPECT_SECONDS_MAX))) ?? NOTHING_FOUND) });
    admit(tool, { given, input, signed: meta?.[CLEARANCE_META] });
    // A change that has begun is finished, also when the caller is gone; a look is not worth that.
    const isRead = riskOf(tool, input, settings) === 'read';
    // It would be cut off halfway.
    if (!isRead && isEnding)
      throw new NightshiftError('tool_refused', `${name} did not run: ${instanceName} is ending`);
    const context = { settings, signal: AbortSignal.timeout(tool.timeoutSeconds * 1000) };
    const running = tool.run(input, isRead ? within(tool.timeoutSeconds) : context);
    if (isRead) return answer(await running);
    underWay.add(running);
    return answer(await running.finally(() => underWay.delete(running)));
  };

  return {
    async connect(transport) {
      const server = new Server({ name: `nightshift-${toolset.name}`, version: '1' }, { capabilities: { tools: {} } });
      server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: offered.filter(isListed).map(listed) }));
      server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
        try {
          return await handOnTrace(params._meta, () => call(params, signal));
        } catch (error) {
          // An error of the protocol, not of the tool: that is how the other side knows that nobody knows.
          if (error instanceof OutcomeUnknown) throw new McpError(ErrorCode.InternalError, error.message);
          const code = error instanceof NightshiftError ? error.code : 'tool_failed';
          return { isError: true, content: [{ type: 'text', text: messageOf(error) }], structuredContent: { code } };
        }
      });
      await server.connect(transport);
    },
    settled: async () => {
      isEnding = true;
      await Promise.allSettled([...underWay]);
    },
  };
}

/** Who holds no clearance learns of nothing that he could not run; Nightshift itself asks for no list. */
function isListed({ risk }: Tool): boolean {
  return risk === 'read';
}

function listed({ name, description, input }: Tool) {
  return { name, description, inputSchema: z.toJSONSchema(input) as { type: 'object' } };
}

function answer(result: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(result) }], structuredContent: result };
}
