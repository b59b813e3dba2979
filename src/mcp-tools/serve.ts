/** What the process of a toolset instance runs: the toolsets that come with Nightshift. */
import { serveToolset } from './serve-toolset.ts';
import { TOOLSETS } from './toolsets.ts';

await serveToolset(TOOLSETS);
