import { serveToolset } from '../../../src/mcp-tools/serve-toolset.ts';
import { TOOLSETS } from '../../../src/mcp-tools/toolsets.ts';
import { vaultToolset } from './vault.ts';

await serveToolset({ ...TOOLSETS, vault: vaultToolset });
