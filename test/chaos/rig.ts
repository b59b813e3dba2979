/** The rig: a toolset whose every effect happens outside, at the ledger. */
import { z } from 'zod';
import {
  defineTool,
  defineToolset,
  OutcomeUnknown,
  type Tool,
  type ToolContext,
  toolFailed,
} from '../../src/mcp-tools/tool.ts';

interface RigSettings {
  /** Where the ledger listens. */
  readonly ledger: string;
  /** How wrong the clock of this replica is, in milliseconds. */
  readonly clockOffsetMs: number;
}

const input = z.strictObject({ service: z.string().regex(/^svc-\d+$/) });
type Input = z.infer<typeof input>;

/** Long enough for a machine on which eight runs are busy at once. */
const TOOL_SECONDS = 4;

/** Makes the rig. */
export function createRig() {
  const change = (verb: string, risk: 'safe' | 'destructive', more: Partial<Tool<RigSettings, typeof input>> = {}) =>
    defineTool<RigSettings, typeof input>({
      name: `rig.${verb}`,
      description: `Does ${verb} to a service of the rig.`,
      input,
      scope: { service: 'service' },
      risk,
      target: ({ service }) => `service ${service}`,
      undo: 'do it the other way round',
      timeoutSeconds: TOOL_SECONDS,
      inspect: async () => ({ uid: null, population: null, preview: [`does ${verb}`] }),
      run: (args, context) => effect(`rig.${verb}`, args, context),
      ...more,
    });
  return defineToolset<RigSettings>({
    name: 'rig',
    description: 'Services that fall ill, outside of Nightshift.',
    settings: z.strictObject({ ledger: z.url(), clockOffsetMs: z.number() }),
    tools: [
      defineTool<RigSettings, typeof input>({
        name: 'rig.health',
        description: 'Tells whether a service of the rig is healthy.',
        input,
        scope: { service: 'service' },
        risk: 'read',
        target: ({ service }) => `service ${service}`,
        undo: 'nothing to undo',
        timeoutSeconds: TOOL_SECONDS,
        run: health,
      }),
      change('restart', 'safe'),
      change('purge', 'destructive'),
      change('poke', 'safe'),
      change('grow', 'safe', { inverse: { tool: 'rig.shrink', with: { service: '{{ service }}' } } }),
      change('shrink', 'safe'),
    ],
  });
}

async function health({ service }: Input, { settings, signal }: ToolContext<RigSettings>) {
  try {
    const response = await fetch(`${settings.ledger}/health/${service}`, { signal });
    return (await response.json()) as Record<string, unknown>;
  } catch (cause) {
    throw toolFailed('the rig does not answer', { cause });
  }
}

async function effect(tool: string, args: Input, { settings, signal }: ToolContext<RigSettings>) {
  try {
    const body = JSON.stringify({ tool, service: args.service, pid: process.pid });
    const response = await fetch(`${settings.ledger}/effect`, { method: 'POST', body, signal });
    return (await response.json()) as Record<string, unknown>;
  } catch (cause) {
    throw new OutcomeUnknown('the rig gave no answer, so it is not known what it did', { cause });
  }
}
