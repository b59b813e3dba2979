/** A system that is told secrets, and writes down what it was really told. */
import { appendFileSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { defineTool, defineToolset } from '../../../src/mcp-tools/tool.ts';

const input = z.strictObject({ account: z.string(), token: z.string().max(200) });

export const vaultToolset = defineToolset<{ file: string }>({
  name: 'vault',
  description: 'Tokens of accounts.',
  settings: z.strictObject({ file: z.string() }),
  tools: [
    defineTool<{ file: string }, typeof input>({
      name: 'vault.revoke',
      description: 'Ends a token.',
      input,
      risk: 'destructive',
      target: ({ account }) => `account ${account}`,
      undo: 'nothing brings it back',
      timeoutSeconds: 5,
      inspect: async (_input, { settings }) => {
        const told = readFileSync(settings.file, 'utf8').trim();
        return { uid: null, population: null, preview: [`told until now: ${told}`], before: { told } };
      },
      run: async ({ account, token }, { settings }) => {
        appendFileSync(settings.file, `${account} ${token}\n`);
        return { ended: token, said: `the token ${token} is no more` };
      },
    }),
  ],
});
