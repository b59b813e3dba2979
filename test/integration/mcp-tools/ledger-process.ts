import { serveToolset } from '../../../src/mcp-tools/serve-toolset.ts';
import { TOOLSETS } from '../../../src/mcp-tools/toolsets.ts';
import { ledgerToolset } from './ledger.ts';

await serveToolset({ ...TOOLSETS, ledger: ledgerToolset });
