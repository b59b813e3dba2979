import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { type Catalogue, createCatalogue, createToolClient, type ToolClient } from '../../src/mcp-tools/index.ts';
import { createMint, type Mint } from '../../src/policy/index.ts';
import { createLogger, createMetrics } from '../../src/telemetry/index.ts';
import { benchToolset } from './toolset.ts';

type CallTool = Client['callTool'];

/** The benchmark's toolset as Nightshift reaches it, and the bare SDK's way to the very same process. */
export interface BenchTools {
  readonly catalogue: Catalogue;
  readonly client: ToolClient;
  readonly mint: Mint;
  readonly bare: CallTool;
  close(): Promise<void>;
}

/** Starts the toolset's process by Nightshift's own client, and catches the SDK's client that it uses for it. */
export async function openBenchTools(): Promise<BenchTools> {
  const catalogue = createCatalogue({ bench: benchToolset }, { things: { uses: 'bench', match: [] } });
  const mint = createMint();
  const client = createToolClient({
    instances: catalogue.instances,
    publicKey: mint.publicKey,
    metrics: createMetrics(),
    log: createLogger('silent'),
    processFile: join(import.meta.dirname, 'toolset-process.ts'),
  });
  const original = Client.prototype.callTool;
  let caught: Client | null = null;
  Client.prototype.callTool = function catchClient(this: Client, ...args) {
    caught = this;
    return original.apply(this, args);
  };
  try {
    const resolution = catalogue.resolve('bench.read', { name: 'first' }, {});
    if (!resolution.ok) throw new Error(resolution.message);
    const first = await client.call(resolution.call, { signal: new AbortController().signal });
    if (first.outcome !== 'succeeded') throw new Error(first.error);
  } finally {
    Client.prototype.callTool = original;
  }
  if (caught === null) throw new Error('the SDK was not used');
  return { catalogue, client, mint, bare: original.bind(caught), close: () => client.close() };
}

/** Gives how long something took, in ms. @throws whatever it throws. */
export async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
