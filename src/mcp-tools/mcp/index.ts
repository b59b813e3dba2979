/** Uses tools of MCP servers that belong to others, as far as an operator allows them by name and has pinned what they say of themselves. It trusts no hint, shows no text that nobody has looked at, and answers no request of theirs. */
import { defineToolset } from '../tool.ts';
import { foreignTools } from './own-tools.ts';
import { type McpSettings, mcpSettingsSchema } from './settings.ts';
import { status } from './status.ts';

export const mcpToolset = defineToolset<McpSettings>({
  name: 'mcp',
  description: 'Uses allowed and pinned tools of MCP servers that belong to others.',
  settings: mcpSettingsSchema,
  declaredBy: 'pins',
  own: foreignTools,
  tools: [status],
});
