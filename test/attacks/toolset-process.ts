/** What a toolset's process runs in this harness: a toolset of Nightshift's own kind, or a server that belongs to somebody else. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { serveToolset } from '../../src/mcp-tools/serve-toolset.ts';
import { createForeignServer } from './foreign-server.ts';
import { type LedgerEntry, openLedger } from './ledger.ts';
import { BREACH, createToolsets } from './toolsets.ts';

interface Start {
  readonly instance: string;
  readonly uses: string;
  readonly settings: { readonly world: string };
}

const { instance, uses, settings } = JSON.parse(process.env.NIGHTSHIFT_TOOLSET ?? '{}') as Start;
const append = openLedger(settings.world);
const stamp = () => ({ instance, pid: process.pid, at: Date.now() });

if (uses === 'ext1' || uses === 'ungated') {
  createForeignServer({ world: settings.world, uses, append: (entry) => append({ ...entry, ...stamp() }) });
} else {
  const clearances: { tool: string; arguments: string; clearance: LedgerEntry['clearance'] }[] = [];
  const toolsets = createToolsets({
    ext: [],
    breach: existsSync(join(settings.world, BREACH)),
    write: (entry) => {
      const sent = JSON.stringify(entry.arguments);
      const at = clearances.findIndex((one) => one.tool === entry.tool && one.arguments === sent);
      const clearance = at < 0 ? null : (clearances.splice(at, 1)[0]?.clearance ?? null);
      append({ ...entry, ...stamp(), clearance });
    },
  });
  await serveToolset(toolsets);
  // The tools are not told what a call came with, so it is read off the wire.
  let rest = '';
  process.stdin.prependListener('data', (data: Buffer) => {
    const lines = `${rest}${data.toString('utf8')}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) note(line);
  });

  function note(line: string): void {
    const { method, params } = JSON.parse(line) as {
      method?: string;
      params?: { name: string; arguments?: object; _meta?: Record<string, { clearance?: LedgerEntry['clearance'] }> };
    };
    const clearance = params?._meta?.['nightshift/clearance']?.clearance;
    if (method !== 'tools/call' || !params || !clearance) return;
    const { incident, action, grantor } = clearance;
    clearances.push({
      tool: params.name,
      arguments: JSON.stringify(params.arguments ?? {}),
      clearance: { incident, action, grantor },
    });
  }
}
