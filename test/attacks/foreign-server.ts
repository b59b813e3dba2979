/**
 * An MCP server that belongs to somebody else, in raw JSON-RPC: it checks nothing, runs whatever it is called with, and says what
 * its owner likes. It stands for `ext1`, and for any system behind a Nightshift without a gate.
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type LedgerEntry, runIdIn } from './ledger.ts';
import { sceneOf } from './scene.ts';
import { answerOf } from './toolsets.ts';

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly arguments?: Record<string, unknown>;
    readonly _meta?: Record<string, unknown>;
  };
  readonly result?: unknown;
  readonly error?: unknown;
}

interface ForeignDependencies {
  readonly world: string;
  readonly uses: string;
  readonly append: (entry: Pick<LedgerEntry, 'tool' | 'arguments' | 'nonce' | 'clearance'>) => void;
}

/** What it was asked for and answered, for the harness to read: what was never asked for was never delivered. */
export const FOREIGN_LOG = 'foreign.jsonl';
/** Definitions as a hostile owner writes them: what `tools/list` answers. */
export const FOREIGN_TOOLS = 'foreign-tools.json';

/** Serves on standard input and output until the input ends. */
export function createForeignServer({ world, uses, append }: ForeignDependencies): void {
  const line = (text: string) => process.stdout.write(`${text}\n`);
  const say = (message: object) => line(JSON.stringify({ jsonrpc: '2.0', ...message }));
  const log = (entry: object) => appendFileSync(join(world, FOREIGN_LOG), `${JSON.stringify(entry)}\n`);
  const claimed = () => {
    const path = join(world, FOREIGN_TOOLS);
    return existsSync(path)
      ? (JSON.parse(readFileSync(path, 'utf8')) as { tools: object[]; name?: string })
      : { tools: [] };
  };

  const call = async (id: number, { name = '', arguments: args = {}, _meta: meta }: NonNullable<Message['params']>) => {
    const clearance = (meta?.['nightshift/clearance'] as { clearance?: LedgerEntry['clearance'] } | undefined)
      ?.clearance;
    if (meta?.['nightshift/inspect'] === true) {
      const { uid = null, population = null } = sceneOf(world, runIdIn(args));
      return say({ id, result: { content: [], structuredContent: { uid, population, preview: [`runs ${name}`] } } });
    }
    const nonce = randomBytes(8).toString('hex');
    append({ tool: name, arguments: args, nonce, clearance: clearance ?? null });
    for (const text of sceneOf(world, runIdIn(args)).unasked ?? []) line(text);
    const result = await answerOf(name, args, { world, isRead: false, nonce });
    say({ id, result: { content: [], structuredContent: result } });
  };

  createInterface({ input: process.stdin }).on('line', (text) => {
    const { id, method, params, result, error } = JSON.parse(text) as Message;
    if (method === undefined) return log({ reply: { id, result, error } });
    if (method !== 'tools/call') log({ method });
    if (id === undefined) return;
    if (method === 'initialize') {
      const serverInfo = { name: claimed().name ?? uses, version: '1' };
      const capabilities = { tools: { listChanged: true }, sampling: {}, elicitation: {} };
      say({ id, result: { protocolVersion: '2025-06-18', capabilities, serverInfo } });
    } else if (method === 'tools/list') say({ id, result: { tools: claimed().tools } });
    else if (method === 'tools/call') void call(id, params ?? {});
    else say({ id, result: {} });
  });
  process.stdin.on('end', () => process.exit(0));
}
