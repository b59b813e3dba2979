import { type Inspection, OutcomeUnknown, riskOf, type Tool, type Toolset, toolFailed } from '../mcp-tools/tool.ts';
import { type LedgerEntry, openLedger, readPhase, writePhase } from './ledger.ts';
import { changeIn, inspectionIn, lookIn, type World } from './world.ts';

const NOTHING_FOUND: Inspection = { uid: null, population: null, preview: null };

interface Recorded {
  /** The name of the instance that this process is. */
  readonly instance: string;
  readonly world: World;
  /** Where the ledger and the phase are. */
  readonly folder: string;
}

/**
 * Gives a toolset that declares exactly what the given one does and asks no system: looks are answered as they were recorded in the
 * phase that the world is in, changes lead where it says. Every call is in the ledger before it is answered.
 */
export function recordedToolset(toolset: Toolset, recorded: Recorded): Toolset {
  const { own } = toolset;
  return {
    ...toolset,
    tools: toolset.tools.map((tool) => recordedTool(tool, recorded)),
    ...(own
      ? { own: (declarations, instance) => own(declarations, instance).map((tool) => recordedTool(tool, recorded)) }
      : {}),
  };
}

function recordedTool(tool: Tool, { instance, world, folder }: Recorded): Tool {
  const append = openLedger(folder);
  const note = (entry: Pick<LedgerEntry, 'kind' | 'risk' | 'phase' | 'recorded' | 'arguments'> & { to?: number }) =>
    append({ instance, tool: tool.name, to: entry.phase, ...entry });
  const { inspect } = tool;
  return {
    ...tool,
    // What was not recorded is left open: the world must not refuse in the place of the gate.
    ...(inspect
      ? {
          inspect: async (input, { settings }) => {
            const phase = readPhase(folder);
            const answer = inspectionIn(world, { phase, instance, tool: tool.name, arguments: input });
            const risk = riskOf(tool, input, settings);
            note({ kind: 'inspection', risk, phase, recorded: answer.recorded, arguments: input });
            if (!answer.recorded) return NOTHING_FOUND;
            if (answer.error !== undefined) throw toolFailed(answer.error);
            return answer.result as unknown as Inspection;
          },
        }
      : {}),
    run: async (input, { settings }) => {
      const phase = readPhase(folder);
      const risk = riskOf(tool, input, settings);
      const asked = { phase, instance, tool: tool.name, arguments: input };
      if (risk === 'read') {
        const answer = lookIn(world, asked);
        note({ kind: 'look', risk, phase, recorded: answer.recorded, arguments: input });
        if (!answer.recorded)
          throw toolFailed(`${tool.name} was not recorded with these arguments, so it is not known what it would show`);
        if (answer.error !== undefined) throw toolFailed(answer.error);
        return answer.result ?? {};
      }
      const change = changeIn(world, asked);
      const to = change?.to ?? phase;
      // Written down before anything comes of it: whoever ends this process now has not undone that it was sent.
      note({ kind: 'change', risk, phase, to, recorded: change !== null, arguments: input });
      if (to !== phase) writePhase(folder, to);
      if (change === null) return { done: true };
      if (change.error?.startsWith(UNKNOWN)) throw new OutcomeUnknown(change.error.slice(UNKNOWN.length));
      if (change.error !== undefined) throw toolFailed(change.error);
      return change.result ?? {};
    },
  };
}

/** An error that begins so leaves open whether the change happened. */
const UNKNOWN = 'unknown: ';
