/** What the process of the benchmark's toolset runs: the same server as every toolset, with another toolset in it. */
import { serveToolset } from '../../src/mcp-tools/serve-toolset.ts';
import { benchToolset } from './toolset.ts';

await serveToolset({ bench: benchToolset });
