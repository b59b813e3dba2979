import { createPublicKey } from 'node:crypto';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { CallToolRequestSchema, type CallToolResult, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { messageOf, NightshiftError } from '../errors.ts';
import { createAdmit } from './admit.ts';
import { CLEARANCE_META } from './clearance.ts';
import { INSPECT_META, INSPECT_SECONDS_MAX } from './inspection.ts';
import { type Inspection, riskOf, type Toolset } from './tool.ts';

const START_VARIABLE = 'NIGHTSHIFT_TOOLSET';
const NOTHING_FOUND: Inspection = { uid: null, population: null, preview: null };

const startSchema = z.strictObject({
  instance: z.string(),
  uses: z.string(),
  settings: z.unknown(),
  publicKey: z.string(),
});

/**
 * Turns this process into one toolset instance: an MCP server on standard input and output that holds this instance's
 * credentials and no others, until its input ends. Which one, the variable NIGHTSHIFT_TOOLSET says; without it the process ends.
 * @throws NightshiftError `invalid_config` where `toolsets` has no toolset of that name.
 */
export async function serveToolset(toolsets: Readonly<Record<string, Toolset>>): Promise<void> {
  const text = process.env[START_VARIABLE];
  if (text === undefined) {
    process.stderr.write(`This is a toolset process; Nightshift starts it with ${START_VARIABLE} set.\n`);
    process.exit(2);
  }
  // Nothing that this process might start inherits the credentials.
  delete process.env[START_VARIABLE];
  const start = startSchema.parse(JSON.parse(text));
  const { instance, uses } = start;
  const toolset = Object.hasOwn(toolsets, uses) ? toolsets[uses] : undefined;
  if (!toolset) throw new NightshiftError('invalid_config', `there is no toolset ${uses}`);
  const settings = toolset.settings.parse(start.settings);
  const tools = new Map(toolset.tools.map((tool) => [tool.name, tool]));
  const underWay = new Set<Promise<unknown>>();
  const admit = createAdmit({ instance, settings, publicKey: createPublicKey(start.publicKey) });

  const server = new Server({ name: `nightshift-${uses}`, version: '1' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: toolset.tools.map((tool) => ({
      name: tool.name,
      description: tool.description,
      inputSchema: z.toJSONSchema(tool.input) as { type: 'object' },
    })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async (request, { signal }): Promise<CallToolResult> => {
    const { name, arguments: given = {}, _meta: meta } = request.params;
    try {
      const tool = tools.get(name);
      if (!tool) throw new NightshiftError('tool_refused', `${uses} has no tool ${name}`);
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
      const context = { settings, signal: AbortSignal.timeout(tool.timeoutSeconds * 1000) };
      const running = tool.run(input, isRead ? within(tool.timeoutSeconds) : context);
      if (isRead) return answer(await running);
      underWay.add(running);
      return answer(await running.finally(() => underWay.delete(running)));
    } catch (error) {
      const code = error instanceof NightshiftError ? error.code : 'tool_failed';
      return { isError: true, content: [{ type: 'text', text: messageOf(error) }], structuredContent: { code } };
    }
  });

  // The transport does not notice that its parent has gone; without this a killed Nightshift would leave toolsets behind.
  // What is under way is finished first: half of a restart leaves a service down.
  process.stdin.on('end', () => void Promise.allSettled([...underWay]).then(() => process.exit(0)));
  await server.connect(new StdioServerTransport());
}

function answer(result: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(result) }], structuredContent: result };
}
