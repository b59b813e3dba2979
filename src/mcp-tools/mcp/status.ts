import { z } from 'zod';
import { defineTool } from '../tool.ts';
import { sessionOf } from './own-tools.ts';
import type { McpSettings } from './settings.ts';

const input = z.strictObject({});

/** The name of the tool that compares; it stands here once for whoever watches. */
export const STATUS_TOOL = 'mcp.status';

/** What {@link status} gives. */
export const statusSchema = z.object({
  tools: z.array(
    z.object({ tool: z.string(), state: z.enum(['pinned', 'quarantined', 'not pinned']), why: z.string().nullable() }),
  ),
});

/** Compares what the server offers with what is pinned. It gives names and our own words, never a text that nobody has looked at. */
export const status = defineTool<McpSettings, typeof input>({
  name: STATUS_TOOL,
  description: 'Compares the tools that a foreign MCP server offers now with those that were pinned.',
  input,
  risk: 'read',
  target: () => 'pinned tools',
  undo: 'nothing to undo',
  timeoutSeconds: 90,
  run: async (_input, { settings }) => {
    const { session, name, pins } = sessionOf(settings);
    const quarantined = await session.quarantined();
    const pinned = new Set(pins.map(({ definition }) => definition.name));
    const tools = Object.keys(settings.tools).map((tool): z.infer<typeof statusSchema>['tools'][number] => {
      const why = quarantined.get(tool) ?? null;
      const state = pinned.has(tool) ? (why === null ? 'pinned' : 'quarantined') : 'not pinned';
      return { tool: `${name}.${tool}`, state, why };
    });
    return { tools };
  },
});
