/** A toolset that writes down whatever is really run: what other tests take for the truth about a call. */
import { appendFileSync } from 'node:fs';
import { z } from 'zod';
import { defineTool, defineToolset, type RiskClass } from '../../../src/mcp-tools/tool.ts';

interface LedgerSettings {
  readonly file: string;
}

const input = z.strictObject({ note: z.string() });

const writing = (name: string, risk: RiskClass) =>
  defineTool<LedgerSettings, typeof input>({
    name: `ledger.${name}`,
    description: 'Writes a note down.',
    input,
    risk,
    target: ({ note }) => `note ${note}`,
    undo: 'strike it out',
    timeoutSeconds: 5,
    run: async ({ note }, { settings }) => {
      appendFileSync(settings.file, `${name} ${note}\n`);
      return { written: note };
    },
  });

export const ledgerToolset = defineToolset<LedgerSettings>({
  name: 'ledger',
  description: 'A file that only grows.',
  settings: z.strictObject({ file: z.string() }),
  tools: [
    {
      ...writing('burn', 'critical'),
      inspect: async ({ note }) => {
        if (note === 'slow') await new Promise(() => {});
        if (note === 'broken') throw new Error('cannot look');
        return { uid: `uid-of-${note}`, population: null, preview: [`burns ${note}`] };
      },
    },
    writing('write', 'destructive'),
    writing('never', 'forbidden'),
  ],
});
