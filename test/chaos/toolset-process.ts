/** What the process of the rig runs. */
import module from 'node:module';
import { shiftClock } from './clock.ts';

const { settings } = JSON.parse(process.env.NIGHTSHIFT_TOOLSET ?? '{}') as { settings: { clockOffsetMs: number } };
// A replica and its toolsets are on one machine, whose clock is wrong for all of them.
shiftClock(settings.clockOffsetMs);
// Thousands of starts, each of which would compile all of it again.
module.enableCompileCache();
const { serveToolset } = await import('../../src/mcp-tools/serve-toolset.ts');
const { createRig } = await import('./rig.ts');
await serveToolset({ rig: createRig() });
