import type { Inspection, Tool, Toolset } from '../../../src/mcp-tools/tool.ts';

/** Calls one tool as its process would: settings and input go through their schemas first. */
export async function callTool(
  toolset: Toolset,
  name: string,
  input: object,
  settings: object,
  signal: AbortSignal = AbortSignal.timeout(60_000),
): Promise<Record<string, unknown>> {
  const { run, input: schema } = toolOf(toolset, name);
  return run(schema.parse(input), { settings: toolset.settings.parse(settings), signal });
}

/** Inspects one tool as its process would: settings and input go through their schemas first. */
export async function inspectTool(
  toolset: Toolset,
  name: string,
  input: object,
  settings: object,
  signal: AbortSignal = AbortSignal.timeout(60_000),
): Promise<Inspection> {
  const { inspect, input: schema } = toolOf(toolset, name);
  if (!inspect) throw new Error(`${name} has no inspect`);
  return inspect(schema.parse(input), { settings: toolset.settings.parse(settings), signal });
}

function toolOf(toolset: Toolset, name: string): Tool {
  const tool = toolset.tools.find((candidate) => candidate.name === name);
  if (!tool) throw new Error(`no tool ${name}`);
  return tool;
}
