import {
  type Catalogue,
  type Instance,
  readForeignStatus,
  type ToolClient,
  unpinnedTools,
} from '../mcp-tools/index.ts';
import { type Check, type Finding, fail, ok, warn } from './finding.ts';

/** A process has to start first, on machines that may be busy. */
const SECONDS_MAX = 15;

/** Makes one check for each toolset instance: its process starts, and answers a look that needs no arguments, where it has one. */
export function toolChecks(catalogue: Catalogue, client: ToolClient): Check[] {
  return catalogue.instances.map((instance) => ({
    name: `tools: ${instance.name}`,
    fix: `look at toolsets.${instance.name}: address, credentials, and whether this host may reach it`,
    secondsMax: SECONDS_MAX,
    run: (signal) => examine(instance, { catalogue, client, signal }),
  }));
}

async function examine(
  instance: Instance,
  { catalogue, client, signal }: { catalogue: Catalogue; client: ToolClient; signal: AbortSignal },
): Promise<Finding[]> {
  const name = `tools: ${instance.name}`;
  const fix = `look at toolsets.${instance.name}: address, credentials, and whether this host may reach it`;
  const notStarted = await client.start(instance.name);
  if (notStarted !== null) return [fail(name, `it does not start: ${notStarted}`, fix)];
  if (instance.toolset.declaredBy === 'pins') return foreign(instance, { client, signal });
  const call = lookWithoutArguments(instance, catalogue);
  if (call === null) return [ok(name, `${instance.tools.length} tool(s); it starts`)];
  const answer = await client.call(call, { signal });
  if (answer.outcome === 'succeeded') return [ok(name, `${instance.tools.length} tool(s); ${call.tool} answers`)];
  return [fail(name, `${call.tool}: ${answer.error}`, fix)];
}

async function foreign(
  instance: Instance,
  { client, signal }: { client: ToolClient; signal: AbortSignal },
): Promise<Finding[]> {
  const name = `tools: ${instance.name}`;
  const unpinned = unpinnedTools(instance);
  const status = await readForeignStatus(client, instance, signal);
  if (!status.ok) return [fail(name, status.error, `see that the server of toolsets.${instance.name} runs`)];
  const changed = status.tools.filter(({ why }) => why !== null).map(({ tool, why }) => `${tool} (${why})`);
  if (changed.length > 0)
    return [
      fail(name, `not as pinned: ${changed.join(', ')}`, `look at it with: nightshift tools diff ${instance.name}`),
    ];
  if (unpinned.length > 0)
    return [warn(name, `not pinned, so not offered: ${unpinned.join(', ')}`, 'nightshift tools pin')];
  return [ok(name, `${status.tools.length} tool(s), as they were pinned`)];
}

/** A look that this very instance can be asked for without knowing anything of the system; null where it has none. */
function lookWithoutArguments(instance: Instance, catalogue: Catalogue) {
  const labels = Object.fromEntries(
    instance.matchers.flatMap(({ label, operator, value }) => (operator === '=' ? [[label, value]] : [])),
  );
  for (const tool of instance.tools) {
    if (tool.risk !== 'read' || tool.scope !== undefined) continue;
    const resolution = catalogue.resolve(tool.name, {}, labels);
    if (resolution.ok && resolution.call.instance === instance.name) return resolution.call;
  }
  return null;
}
