import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CLEARANCE_META } from '../../../src/mcp-tools/clearance.ts';
import { createCatalogue } from '../../../src/mcp-tools/index.ts';
import { defineTool, defineToolset } from '../../../src/mcp-tools/tool.ts';
import { createToolsetServer } from '../../../src/mcp-tools/toolset-server.ts';
import { createMint } from '../../../src/policy/index.ts';

describe('a toolset that is told to end', () => {
  it('finishes the change that has begun, and begins no other', async () => {
    let done = 0;
    const slow = defineTool({
      name: 'gate.open',
      description: 'Opens.',
      input: z.strictObject({}),
      risk: 'safe',
      target: () => 'gate',
      undo: 'close',
      timeoutSeconds: 5,
      run: async () => {
        await sleep(100);
        done += 1;
        return {};
      },
    });
    const toolset = defineToolset({
      name: 'gate',
      description: 'A gate.',
      settings: z.strictObject({}),
      tools: [slow],
    });
    const mint = createMint();
    const instance = { name: 'east', toolset, settings: {}, declarations: [] };
    const server = createToolsetServer({ ...instance, publicKey: mint.publicKey, clockSkewSeconds: 0 });
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    await server.connect(theirs);
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(ours);
    const resolution = createCatalogue({ gate: toolset }, { east: { uses: 'gate', match: [] } }).resolve(
      'gate.open',
      {},
      {},
    );
    if (!resolution.ok) throw new Error(resolution.message);
    const open = () => {
      const clearance = mint.clear(resolution.call, { incident: 'INC-1', action: 'a', grantor: 'test' }, new Date());
      return client.callTool({ name: 'gate.open', arguments: {}, _meta: { [CLEARANCE_META]: clearance } });
    };
    const first = open();
    await sleep(30);
    const settled = server.settled();
    expect(await open()).toMatchObject({ isError: true, structuredContent: { code: 'tool_refused' } });
    await settled;
    expect(done).toBe(1);
    expect((await first).isError).toBeUndefined();
    await client.close();
  });
});
