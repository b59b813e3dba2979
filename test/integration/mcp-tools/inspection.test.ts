import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type Call, createCatalogue, createToolClient, TOOLSETS } from '../../../src/mcp-tools/index.ts';
import { createMint } from '../../../src/policy/mint.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { ledgerToolset } from './ledger.ts';

const PROCESS = fileURLToPath(new URL('./ledger-process.ts', import.meta.url));

describe('an inspection of a toolset in a process of its own', () => {
  const { path: directory, remove } = scratchDirectory();
  const [file, spool] = [join(directory, 'ledger'), join(directory, 'spool')];
  mkdirSync(spool);
  writeFileSync(join(spool, 'a.job'), 'x');
  const mint = createMint();
  const catalogue = createCatalogue(
    { ...TOOLSETS, ledger: ledgerToolset },
    {
      book: { uses: 'ledger', match: [], file },
      spools: { uses: 'host', match: [], directories: { shop: { path: spool } } },
    },
  );
  const client = createToolClient({
    instances: catalogue.instances,
    publicKey: mint.publicKey,
    metrics: createMetrics(),
    log: createLogger('silent'),
    processFile: PROCESS,
  });
  const bound = (tool: string, args: object): Call => {
    const resolution = catalogue.resolve(tool, args, {});
    if (!resolution.ok) throw new Error(resolution.message);
    return resolution.call;
  };
  const inspect = (call: Call) => client.inspect(call, { signal: new AbortController().signal });
  const clear = (call: Call) => mint.clear(call, { incident: 'INC-1', action: 'a', grantor: 'test' }, new Date());
  const ledger = () => readFileSync(file, 'utf8');

  beforeEach(() => writeFileSync(file, ''));
  afterAll(async () => {
    await client.close();
    remove();
  });

  it('looks, needs no clearance and never runs the tool, whatever its class', async () => {
    const found = { uid: 'uid-of-x', population: null, preview: ['burns x'] };
    expect(await inspect(bound('ledger.burn', { note: 'x' }))).toEqual({ ok: true, inspection: found });
    const nothing = { uid: null, population: null, preview: null };
    for (const tool of ['ledger.write', 'ledger.never', 'host.files'])
      expect(await inspect(bound(tool, tool === 'host.files' ? { directory: 'shop' } : { note: 'x' }))).toEqual({
        ok: true,
        inspection: nothing,
      });
    expect(ledger()).toBe('');
  });

  it('leaves a clearance unspent, and is not let in on one', async () => {
    const call = bound('ledger.burn', { note: 'x' });
    const signal = new AbortController().signal;
    await client.start(call.instance);
    const clearance = clear(call);
    await inspect(call);
    expect(await client.call(call, { signal })).toMatchObject({ outcome: 'failed' });
    expect(ledger()).toBe('');
    expect(await client.call(call, { clearance, signal })).toEqual({ outcome: 'succeeded', result: { written: 'x' } });
    expect(ledger()).toBe('burn x\n');
  });

  it('takes only arguments that a run would take', async () => {
    const call = bound('ledger.burn', { note: 'x' });
    for (const args of [{}, { note: 1 }, { note: 'x', force: true }])
      expect(await inspect({ ...call, arguments: args })).toEqual({
        ok: false,
        refused: true,
        error: expect.stringMatching(/^ledger/),
      });
    const other = await inspect({ ...call, tool: 'host.purge' });
    expect(other).toEqual({ ok: false, error: 'book has no tool host.purge', refused: true });
  });

  it('that fails says why, and one that takes too long is given up', async () => {
    expect(await inspect(bound('ledger.burn', { note: 'broken' }))).toEqual({ ok: false, error: 'cannot look' });
    const late = { ok: false, error: 'ledger.burn did not say what it would do within 10 s' };
    expect(await inspect(bound('ledger.burn', { note: 'slow' }))).toEqual(late);
  });

  it('reaches the toolsets of Nightshift beside the one of this test, from the same process file', async () => {
    const call = bound('host.purge', { directory: 'shop' });
    expect(await inspect(call)).toEqual({
      ok: true,
      inspection: {
        uid: expect.stringMatching(/^\d+:\d+:\d+$/),
        population: null,
        preview: expect.arrayContaining(['deletes 1 file(s), 1 bytes, the oldest first', `in ${spool}`]),
      },
    });
  });
});

describe('the process of a toolset', () => {
  const start = (env: Record<string, string>) =>
    spawnSync(process.execPath, [PROCESS], { env, input: '', encoding: 'utf8', timeout: 20_000 });

  it('says what it is when somebody starts it by hand', () => {
    const { status, stderr } = start({});
    expect([status, stderr]).toEqual([
      2,
      'This is a toolset process; Nightshift starts it with NIGHTSHIFT_TOOLSET set.\n',
    ]);
  });

  it.each(['teapot', 'constructor', '__proto__'])('serves no toolset %s', (uses) => {
    const { publicKey } = createMint();
    const { status, stderr } = start({
      NIGHTSHIFT_TOOLSET: JSON.stringify({ instance: 'a', uses, settings: {}, declarations: [], publicKey }),
    });
    expect(status).toBe(1);
    expect(stderr).toContain(`there is no toolset ${uses}`);
  });
});
