import { messageOf } from '../../errors.ts';
import type { Call, Instance } from '../catalogue.ts';
import type { ToolClient } from '../client.ts';
import { toolFailed } from '../tool.ts';
import { connectForeign, type Listing } from './connect-foreign.ts';
import { type Definition, type Difference, definitionSha256, differences } from './definition.ts';
import { readInputSchema } from './input-schema.ts';
import { riskWithHints } from './own-tools.ts';
import { asPins, type Pinned } from './pins.ts';
import type { DeclaredTool, McpSettings } from './settings.ts';
import { STATUS_TOOL, status, statusSchema } from './status.ts';

export type ForeignStatus =
  | { readonly ok: true; readonly tools: ReturnType<typeof statusSchema.parse>['tools'] }
  | { readonly ok: false; readonly error: string };

/** Asks an instance's own process how its server stands to its pins; the answer holds no text of that server. Never throws. */
export async function readForeignStatus(
  client: Pick<ToolClient, 'call'>,
  { name: instance }: Instance,
  signal: AbortSignal,
): Promise<ForeignStatus> {
  const { timeoutSeconds, undo } = status;
  const call: Call = {
    ...{ instance, tool: STATUS_TOOL, arguments: {}, target: `${instance}:pinned tools`, risk: 'read', undo },
    ...{ timeoutSeconds, definitionSha256: '' },
  };
  const answer = await client.call(call, { signal });
  if (answer.outcome !== 'succeeded') return { ok: false, error: answer.error };
  const parsed = statusSchema.safeParse(answer.result);
  return parsed.success
    ? { ok: true, tools: parsed.data.tools }
    : { ok: false, error: 'it answered in an unknown form' };
}

/** Names the tools that an operator allows and has not pinned, as `INSTANCE.TOOL`; they are not offered. */
export function unpinnedTools({ name, toolset, settings, declarations }: Instance): string[] {
  if (toolset.declaredBy !== 'pins') return [];
  const pinned = asPins(name, declarations).map(({ definition }) => definition.name);
  return Object.keys((settings as McpSettings).tools)
    .filter((tool) => !pinned.includes(tool))
    .map((tool) => `${name}.${tool}`);
}

/** What one allowed tool is on its server now, beside what is pinned of it. */
export interface Compared {
  readonly tool: string;
  readonly pinned: Definition | null;
  /** Null where the server does not offer it, or not in a form that can be used; `problem` says which. */
  readonly live: Definition | null;
  readonly problem: string | null;
  readonly risk: ReturnType<typeof riskWithHints>;
  readonly differences: readonly Difference[];
}

/**
 * Connects to the server of an instance and compares each allowed tool with its pin. It is for an operator at a terminal, who is to read what
 * the server says; nothing else may show these texts.
 * @throws NightshiftError `tool_failed` where the server cannot be reached.
 */
export async function compareForeign({ name, settings, declarations }: Instance): Promise<{
  readonly server: Listing['server'];
  readonly pinnedServer: Listing['server'] | null;
  readonly tools: readonly Compared[];
}> {
  const declared = (settings as McpSettings).tools;
  const pins = new Map(asPins(name, declarations).map((pin): [string, Pinned] => [pin.definition.name, pin]));
  const foreign = await connectForeign(settings as McpSettings, { onChange: () => {}, onEnd: () => {} });
  try {
    const listing = await foreign.list().catch((cause: unknown) => {
      throw toolFailed(`${name} does not list its tools: ${messageOf(cause)}`, { cause });
    });
    const tools = Object.entries(declared).map(([tool, one]) => compareOne(tool, one, pins.get(tool), listing));
    return { server: listing.server, pinnedServer: [...pins.values()][0]?.server ?? null, tools };
  } finally {
    await foreign.close().catch(() => {});
  }
}

function compareOne(
  tool: string,
  { risk }: DeclaredTool,
  pin: Pinned | undefined,
  { tools, unreadable }: Listing,
): Compared {
  const [live, ...others] = tools.filter((one) => one.name === tool);
  const pinned = pin?.definition ?? null;
  const found = live && others.length === 0 ? live : null;
  const hints = (found ?? pinned)?.annotations ?? {};
  const some = unreadable > 0 ? `; ${unreadable} of its definitions cannot be read` : '';
  return {
    tool,
    pinned,
    live: found,
    problem: !live
      ? `the server does not offer it${some}`
      : others.length > 0
        ? 'the server offers it twice'
        : problemOf(live),
    risk: riskWithHints(risk, hints),
    differences:
      pinned === null || found === null || definitionSha256(pinned) === definitionSha256(found)
        ? []
        : differences(pinned, found, ''),
  };
}

/** Why a definition cannot be pinned; null where it can. */
function problemOf({ inputSchema }: Definition): string | null {
  try {
    readInputSchema(inputSchema);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
