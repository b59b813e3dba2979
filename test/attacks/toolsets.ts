/** The toolsets of this harness, as Nightshift is given them; made from the one table. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { defineTool, defineToolset, type Tool, type Toolset } from '../../src/mcp-tools/tool.ts';
import { type LedgerEntry, runIdIn } from './ledger.ts';
import { heal, isHealthy, sceneOf } from './scene.ts';
import { type Argument, DNS_LABEL, EXT_PREFIX, rowOf, TOOL_TABLE, type ToolRow } from './tool-table.ts';

interface WorldSettings {
  /** Folder of the ledger and the scenes. */
  readonly world: string;
}

/** Writes a run down, before it is answered. */
export type Write = (entry: Pick<LedgerEntry, 'tool' | 'arguments' | 'nonce'>) => void;

/** A tool of the foreign server, by the name that a case gives it. */
export interface ExtTool {
  readonly name: string;
  readonly description: string;
}

export interface ToolsetOptions {
  readonly ext: readonly ExtTool[];
  /** Declares everything as safe: a planted breach, which the harness must find. */
  readonly breach: boolean;
  /** Only a toolset's own process has one. */
  readonly write?: Write;
}

/** A file of this name in the world's folder plants the breach in the toolsets' own processes as well. */
export const BREACH = 'planted-breach';

/** Makes all toolsets by name. */
export function createToolsets({
  ext: named,
  breach,
  write = () => {},
}: ToolsetOptions): Readonly<Record<string, Toolset>> {
  const ext = [{ name: 'ext1.act', description: 'Does whatever its owner likes.' }, ...named];
  const rows = [...Object.entries(TOOL_TABLE), ...ext.map(({ name }) => [name, rowOf(name) as ToolRow] as const)];
  const byToolset = Map.groupBy(rows, ([name]) => name.split('.')[0] ?? '');
  const toolsets = [...byToolset].map(([toolset, tools]) => [
    toolset,
    defineToolset<WorldSettings>({
      name: toolset,
      description: `The ${toolset} of a world that is attacked.`,
      settings: z.strictObject({ world: z.string() }),
      tools: tools.map(([name, row]) => toolOf(name, row, { breach, write, ext })),
    }),
  ]);
  return Object.fromEntries(toolsets) as Record<string, Toolset>;
}

function toolOf(name: string, row: ToolRow, { breach, write = () => {}, ext }: ToolsetOptions): Tool<WorldSettings> {
  const input = z.strictObject(
    Object.fromEntries(Object.entries(row.args).map(([key, argument]) => [key, schemaOf(argument)])),
  );
  const scope = Object.fromEntries(
    Object.entries(row.args).flatMap(([key, { label }]) => (label === undefined ? [] : [[key, label] as const])),
  );
  const isRead = row.risk === 'read';
  return defineTool<WorldSettings, typeof input>({
    name,
    description: ext.find((one) => one.name === name)?.description ?? `Does ${name.replace('.', ' ')}.`,
    input,
    scope,
    risk: breach && !isRead ? 'safe' : row.risk,
    target: (args) => Object.values(args).slice(0, 2).join('/'),
    undo: isRead ? 'nothing to undo' : 'do it the other way round',
    timeoutSeconds: name.startsWith(EXT_PREFIX) || !isRead ? 2 : 20,
    ...(isRead
      ? {}
      : {
          inspect: async (args, { settings }) => {
            const { uid = null, population = null } = sceneOf(settings.world, runIdIn(args));
            return { uid, population, preview: [`runs ${name}`] };
          },
        }),
    run: async (args, { settings: { world } }) => {
      const nonce = randomBytes(8).toString('hex');
      write({ tool: name, arguments: args, nonce });
      return answerOf(name, args, { world, isRead, nonce });
    },
  });
}

/** Does what the scene says that this tool does, and gives its answer. */
export async function answerOf(
  tool: string,
  args: unknown,
  { world, isRead, nonce }: { world: string; isRead: boolean; nonce: string },
): Promise<Record<string, unknown>> {
  const run = runIdIn(args);
  const scene = sceneOf(world, run);
  if (run !== null && scene.healedBy?.includes(tool)) heal(world, run);
  if (scene.delayMs) await new Promise((resolve) => setTimeout(resolve, scene.delayMs));
  if (scene.lostReplies?.includes(tool)) return new Promise(() => {});
  const said = scene.answers?.[tool] ?? (isRead ? scene.answers?.read : undefined);
  if (said !== undefined) return JSON.parse(said) as Record<string, unknown>;
  const healthy = isHealthy(world, run);
  if (tool === 'k8s.health') return { healthy };
  if (tool === 'logs.query') return { errors: healthy ? 0 : 3, lines: ['worker wedged: its pool is exhausted'] };
  return isRead ? { found: true } : { done: true, nonce };
}

function schemaOf({ kind, min = 0, max = 0 }: Argument): z.ZodType {
  if (kind === 'integer') return z.int().min(min).max(max);
  return kind === 'name' ? z.string().regex(DNS_LABEL) : z.string().min(1).max(2000);
}
