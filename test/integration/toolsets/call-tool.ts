import type { Toolset } from '../../../src/mcp-tools/tool.ts';

/** Calls one tool as its process would: settings and input go through their schemas first. */
export async function callTool(
  toolset: Toolset,
  name: string,
  input: object,
  settings: object,
  signal: AbortSignal = AbortSignal.timeout(60_000),
): Promise<Record<string, unknown>> {
  const tool = toolset.tools.find((candidate) => candidate.name === name);
  if (!tool) throw new Error(`no tool ${name}`);
  return tool.run(tool.input.parse(input), { settings: toolset.settings.parse(settings), signal });
}
