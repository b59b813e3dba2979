import { z } from 'zod';
import { defineTool, defineToolset } from '../../src/mcp-tools/tool.ts';

const ROWS = 20;

/** About 2 KB, as a look usually gives: rows of names, words and numbers. */
const rows = Array.from({ length: ROWS }, (_, index) => ({
  name: `checkout-7f9c${index}`,
  state: 'running',
  detail: `up ${index + 1} h, 0 restarts, node worker-${index % 4}.example.internal`,
  memoryMiB: 100 + index,
}));

const name = z.string().regex(/^[a-z0-9-]{1,64}$/);

/** A toolset that works on nothing, so that what is measured is the way there and back. */
export const benchToolset = defineToolset({
  name: 'bench',
  description: 'Works on nothing.',
  settings: z.strictObject({}),
  tools: [
    defineTool({
      name: 'bench.read',
      description: 'Gives the same rows, always.',
      input: z.strictObject({ name }),
      risk: 'read',
      target: (input) => `thing ${input.name}`,
      undo: 'nothing to undo',
      timeoutSeconds: 10,
      run: async () => ({ rows }),
    }),
    defineTool({
      name: 'bench.change',
      description: 'Changes nothing, and needs a clearance for it.',
      input: z.strictObject({ name }),
      risk: 'safe',
      target: (input) => `thing ${input.name}`,
      undo: 'nothing to undo',
      timeoutSeconds: 10,
      check: null,
      inverse: null,
      inspect: async (input) => ({ uid: `uid-${input.name}`, population: null, preview: [`changes ${input.name}`] }),
      run: async () => ({ done: true }),
    }),
  ],
});
