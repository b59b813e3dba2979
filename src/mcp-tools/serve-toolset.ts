import { z } from 'zod';
import { NightshiftError } from '../errors.ts';
import { StdioServerTransport } from '../mcp-sdk/server.ts';
import type { Toolset } from './tool.ts';
import { createToolsetServer } from './toolset-server.ts';

const START_VARIABLE = 'NIGHTSHIFT_TOOLSET';

const startSchema = z.strictObject({
  instance: z.string(),
  uses: z.string(),
  settings: z.unknown(),
  declarations: z.array(z.unknown()),
  publicKey: z.string(),
});

/**
 * Turns this process into one toolset instance: an MCP server on standard input and output that holds this instance's
 * credentials and no others, until its input ends. Which one, the variable NIGHTSHIFT_TOOLSET says; without it the process ends. Of
 * toolsets that are given by how they are loaded, no other is.
 * @throws NightshiftError `invalid_config` where `toolsets` has no toolset of that name.
 */
export async function serveToolset(
  toolsets: Readonly<Record<string, Toolset | (() => Promise<Toolset>)>>,
): Promise<void> {
  const text = process.env[START_VARIABLE];
  if (text === undefined) {
    process.stderr.write(`This is a toolset process; Nightshift starts it with ${START_VARIABLE} set.\n`);
    process.exit(2);
  }
  // Nothing that this process might start inherits the credentials.
  delete process.env[START_VARIABLE];
  const { instance, uses, ...start } = startSchema.parse(JSON.parse(text));
  const found = Object.hasOwn(toolsets, uses) ? toolsets[uses] : undefined;
  if (!found) throw new NightshiftError('invalid_config', `there is no toolset ${uses}`);
  const toolset = typeof found === 'function' ? await found() : found;
  const server = createToolsetServer({ ...start, name: instance, toolset, clockSkewSeconds: 0 });
  // The transport does not notice that its parent has gone; without this a killed Nightshift would leave toolsets behind.
  // What is under way is finished first: half of a restart leaves a service down.
  process.stdin.on('end', () => void server.settled().then(() => process.exit(0)));
  await server.connect(new StdioServerTransport());
}
