/** What the process of a recorded instance runs. No configuration can name it: only an eval starts such processes, by a file that it writes for one run. */
import { join } from 'node:path';
import { serveToolset } from '../mcp-tools/serve-toolset.ts';
import { TOOLSET_LOADERS } from '../mcp-tools/toolset-loaders.ts';
import { recordedToolset } from './recorded-toolset.ts';
import { readWorld } from './world.ts';

/** Turns this process into one instance of a recorded world, which stands in a folder as world.json, beside its ledger. */
export async function serveRecorded(folder: string): Promise<void> {
  const { instance } = JSON.parse(process.env.NIGHTSHIFT_TOOLSET ?? '{}') as { instance: string };
  const world = readWorld(join(folder, 'world.json'));
  const loaders = Object.entries(TOOLSET_LOADERS).map(
    ([name, load]) => [name, async () => recordedToolset(await load(), { instance, world, folder })] as const,
  );
  await serveToolset(Object.fromEntries(loaders));
}
