/** A hostile definition meets what reads definitions: an operator who pins it, and a server that changes into it afterwards. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareForeign, createCatalogue, TOOLSETS, writePins } from '../../src/mcp-tools/index.ts';
import { readInputSchema, UnusableSchema } from '../../src/mcp-tools/mcp/input-schema.ts';
import { readPins } from '../../src/mcp-tools/mcp/pins.ts';
import { createSession } from '../../src/mcp-tools/mcp/session.ts';
import { mcpSettingsSchema } from '../../src/mcp-tools/mcp/settings.ts';
import { FOREIGN_TOOLS } from './foreign-server.ts';
import type { Run } from './run.ts';

const SERVER = join(import.meta.dirname, 'foreign-process.ts');
const SLOW_MS = 1000;
/** Long enough that a pattern which doubles its work with each letter takes far more than a second. */
const LETTERS = 30;
const BENIGN = { name: 'x', description: 'Does x.', inputSchema: { type: 'object' } };

/** Pins the definition, calls with it what can be pinned, and lets a pinned tool become it; notes what must not happen. */
export async function pinHostile(run: Run, inputSchema: object): Promise<void> {
  const { counting, directory } = run.world;
  const folder = mkdtempSync(join(directory, 'pin-'));
  const before = counting.hits();
  // Whatever it points to is a place where requests are counted.
  const text = JSON.stringify(inputSchema).replaceAll(/https?:\/\/[^/"]+/g, new URL(counting.url).origin);
  const hostile = JSON.parse(text) as object;
  const serve = (definition: object) =>
    writeFileSync(join(folder, FOREIGN_TOOLS), JSON.stringify({ tools: [{ ...BENIGN, ...definition }] }));
  const given = { command: process.execPath, args: [SERVER, folder], tools: { x: {} } };
  const pins = join(folder, 'pins.json');
  const instance = () => {
    const [one] = createCatalogue(TOOLSETS, { 'ext-1': { uses: 'mcp', match: [], pins, ...given } }).instances;
    if (!one) throw new Error('there is no instance');
    return one;
  };
  try {
    for (const schema of [hostile, { type: 'object', ...hostile }]) {
      serve({ inputSchema: schema });
      const input = timed(run, 'reading the schema', () => readable(schema));
      const { tools } = await compareForeign(instance());
      if ((tools[0]?.problem === null) !== (input !== null)) run.problems.push('what cannot be read can be pinned');
      const worst = Object.keys(input?.shape ?? {}).map((name) => [name, `${'a'.repeat(LETTERS)}!`] as const);
      timed(run, 'checking arguments', () => input?.safeParse(Object.fromEntries(worst)));
    }
    serve({});
    const { server } = await compareForeign(instance());
    writePins('ext-1', pins, { server, tools: [{ ...BENIGN, annotations: {} }] });
    serve({ inputSchema: hostile });
    const session = createSession(mcpSettingsSchema.parse(given), readPins('ext-1', pins));
    const quarantined = await session.quarantined();
    await session.close();
    if (!quarantined.has('x')) run.problems.push('a definition that changed is not quarantined');
    if (counting.hits() > before) run.problems.push('what a schema refers to was fetched');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readable(schema: object): ReturnType<typeof readInputSchema> | null {
  try {
    return readInputSchema(schema);
  } catch (error) {
    if (error instanceof UnusableSchema) return null;
    throw error;
  }
}

function timed<T>(run: Run, what: string, work: () => T): T {
  const before = performance.now();
  const result = work();
  const took = performance.now() - before;
  if (took > SLOW_MS) run.problems.push(`${what} took ${Math.round(took)} ms`);
  return result;
}
