/** What the process of a toolset instance runs: the toolsets that come with Nightshift. */
import { serveToolset } from './serve-toolset.ts';
import { TOOLSET_LOADERS } from './toolset-loaders.ts';

await serveToolset(TOOLSET_LOADERS);
