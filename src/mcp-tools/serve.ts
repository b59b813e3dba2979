/** The process of one toolset instance: an MCP server on standard input and output that holds this instance's credentials and no others. */
import { createPublicKey } from 'node:crypto';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { CallToolRequestSchema, type CallToolResult, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { messageOf, NightshiftError } from '../errors.ts';
import { CLEARANCE_META, verifyClearance } from './clearance.ts';
import { riskOf, type Tool } from './tool.ts';
import { TOOLSETS } from './toolsets.ts';

const START_VARIABLE = 'NIGHTSHIFT_TOOLSET';

const startSchema = z.strictObject({
  instance: z.string(),
  uses: z.string(),
  settings: z.unknown(),
  publicKey: z.string(),
});

const text = process.env[START_VARIABLE];
if (text === undefined) {
  process.stderr.write(`This is a toolset process; Nightshift starts it with ${START_VARIABLE} set.\n`);
  process.exit(2);
}
// Nothing that this process might start inherits the credentials.
delete process.env[START_VARIABLE];
const start = startSchema.parse(JSON.parse(text));
const toolset = TOOLSETS[start.uses];
if (!toolset) throw new NightshiftError('invalid_config', `there is no toolset ${start.uses}`);
const settings = toolset.settings.parse(start.settings);
const publicKey = createPublicKey(start.publicKey);
const tools = new Map(toolset.tools.map((tool) => [tool.name, tool]));
/** Clearances already used, until they expire. */
const spent = new Map<string, number>();

const server = new Server({ name: `nightshift-${start.uses}`, version: '1' }, { capabilities: { tools: {} } });

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
    if (!tool) throw new NightshiftError('tool_refused', `${start.uses} has no tool ${name}`);
    const parsed = tool.input.safeParse(given);
    if (!parsed.success) throw new NightshiftError('tool_refused', `${name}: ${z.prettifyError(parsed.error)}`);
    clear(tool, given, parsed.data, meta?.[CLEARANCE_META]);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(tool.timeoutSeconds * 1000)]);
    const result = await tool.run(parsed.data, { settings, signal: limit });
    return { content: [{ type: 'text', text: JSON.stringify(result) }], structuredContent: result };
  } catch (error) {
    const code = error instanceof NightshiftError ? error.code : 'tool_failed';
    return { isError: true, content: [{ type: 'text', text: messageOf(error) }], structuredContent: { code } };
  }
});

/** Whoever calls: a tool that is not `read` does not run without a clearance for exactly this call, and only once on each. */
function clear(tool: Tool, given: unknown, input: unknown, signed: unknown): void {
  const risk = riskOf(tool, input, settings);
  if (risk === 'read') return;
  if (risk === 'forbidden') throw new NightshiftError('tool_refused', `${tool.name} is forbidden with these arguments`);
  const now = new Date();
  const clearance = verifyClearance(
    signed,
    { instance: start.instance, tool: tool.name, arguments: given },
    { publicKey, now },
  );
  for (const [nonce, expiresAt] of spent) if (expiresAt <= now.getTime()) spent.delete(nonce);
  if (spent.has(clearance.nonce))
    throw new NightshiftError('tool_refused', `${tool.name} did not run: its clearance was used before`);
  spent.set(clearance.nonce, new Date(clearance.expiresAt).getTime());
}

// The transport does not notice that its parent has gone; without this a killed Nightshift would leave toolsets behind.
process.stdin.on('end', () => process.exit(0));
await server.connect(new StdioServerTransport());
