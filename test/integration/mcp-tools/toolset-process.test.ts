import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Call,
  createCatalogue,
  createLook,
  createToolClient,
  type SignedClearance,
  TOOLSETS,
  type ToolClient,
} from '../../../src/mcp-tools/index.ts';
import { createMint } from '../../../src/policy/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { scratchDirectory } from '../../real-parts/program.ts';

const SECRET = 'hunter2-of-the-supervisor';

describe('a toolset in a process of its own', () => {
  const { path: directory, remove } = scratchDirectory();
  const spool = join(directory, 'spool');
  const mint = createMint();
  let asked = 0;
  const hanging = createServer(() => {
    asked += 1;
  });
  let client: ToolClient;
  let purge: Call;
  let restart: Call;

  const clear = (call: Call, at = new Date()): SignedClearance =>
    mint.clear(call, { incident: 'INC-1', action: 'act-1', grantor: 'test' }, at);
  const send = (call: Call, clearance?: SignedClearance) =>
    client.call(call, { signal: new AbortController().signal, ...(clearance ? { clearance } : {}) });
  /** Toolset processes that this test has started, by /proc, since a bare system has no ps. */
  const children = () =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => {
        try {
          // The parent's id follows the state, after the command's closing parenthesis.
          const parent = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1];
          return (
            Number(parent) === process.pid &&
            readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('mcp-tools/serve.ts')
          );
        } catch {
          return false;
        }
      });

  beforeAll(async () => {
    mkdirSync(spool);
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
    process.env.NIGHTSHIFT_TEST_OWN_SECRET = 'never-for-toolsets';
    const catalogue = createCatalogue(TOOLSETS, {
      spools: { uses: 'host', match: [], directories: { shop: { path: spool } } },
      processes: {
        uses: 'supervisor',
        match: [],
        url: `http://127.0.0.1:${(hanging.address() as AddressInfo).port}`,
        username: 'u',
        password: SECRET,
      },
    });
    const resolve = (tool: string, args: object) => {
      const resolution = catalogue.resolve(tool, args, {});
      if (!resolution.ok) throw new Error(resolution.message);
      return resolution.call;
    };
    client = createToolClient({
      instances: catalogue.instances,
      publicKey: mint.publicKey,
      metrics: createMetrics(),
      log: createLogger('silent'),
    });
    purge = resolve('host.purge', { directory: 'shop' });
    restart = resolve('supervisor.restart', { process: 'web' });
    await client.start(purge.instance);
  });
  beforeEach(() => writeFileSync(join(spool, 'a.job'), 'x'));
  afterAll(async () => {
    await client.close();
    hanging.closeAllConnections();
    hanging.close();
    remove();
  });

  it('runs a changing tool with a clearance, and each clearance once', async () => {
    const clearance = clear(purge);
    expect(await send(purge, clearance)).toMatchObject({ outcome: 'succeeded', result: { deleted: 1 } });
    writeFileSync(join(spool, 'b.job'), 'x');
    expect(await send(purge, clearance)).toMatchObject({
      outcome: 'failed',
      error: expect.stringMatching(/was used before/),
    });
    expect(readdirSync(spool)).toEqual(['b.job']);
  });

  it.each<[string, () => [Call, SignedClearance | undefined], RegExp]>([
    ['without one', () => [purge, undefined], /without a clearance/],
    ['with one for another tool', () => [purge, clear(restart)], /another tool/],
    [
      'with one for other arguments',
      () => [{ ...purge, arguments: { directory: 'shop' } }, clear({ ...purge, arguments: { directory: 'bank' } })],
      /other arguments/,
    ],
    ['with one that has expired', () => [purge, clear(purge, new Date(Date.now() - 120_000))], /expired/],
    ['with one from the future', () => [purge, clear(purge, new Date(Date.now() + 60_000))], /from the future/],
    [
      'with one that somebody else signed',
      () => [purge, createMint().clear(purge, { incident: 'INC-1', action: 'a', grantor: 'x' }, new Date())],
      /not signed by this Nightshift/,
    ],
  ])('changes nothing %s, whoever calls', async (_name, make, why) => {
    const [call, clearance] = make();
    expect(await send(call, clearance)).toMatchObject({ outcome: 'failed', error: expect.stringMatching(why) });
    expect(readdirSync(spool)).toContain('a.job');
  });

  it('refuses tools of others and arguments outside the schema by itself', async () => {
    expect(
      await send({ ...purge, tool: 'supervisor.restart' }, clear({ ...purge, tool: 'supervisor.restart' })),
    ).toMatchObject({ outcome: 'failed', error: expect.stringMatching(/has no tool/) });
    const odd = { ...purge, arguments: { directory: 'shop', force: true } };
    expect(await send(odd, clear(odd))).toMatchObject({ outcome: 'failed', error: expect.stringMatching(/force/) });
  });

  it('is given its own settings, and nothing of the environment or of other instances', async () => {
    await send(purge, clear(purge));
    const [pid] = children();
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(environment).toContain('NIGHTSHIFT_TOOLSET=');
    expect(environment).not.toContain('never-for-toolsets');
    expect(environment).not.toContain(SECRET);
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(spool);
  });

  it('that was restarted takes no clearance from before, since it cannot know which were used', async () => {
    await client.start('spools');
    const [used, unused] = [clear(purge), clear(purge)];
    expect(await send(purge, used)).toMatchObject({ outcome: 'succeeded', result: { deleted: 1 } });
    writeFileSync(join(spool, 'a.job'), 'x');
    const before = new Set(children());
    for (const pid of before) process.kill(pid, 'SIGKILL');
    const started = async () => {
      await client.start('spools');
      return children().filter((pid) => !before.has(pid)).length;
    };
    await expect.poll(started, { timeout: 10_000 }).toBe(1);
    for (const clearance of [used, unused]) {
      const error = expect.stringMatching(/older than its toolset process/);
      expect(await send(purge, clearance)).toMatchObject({ outcome: 'failed', error });
    }
    expect(readdirSync(spool)).toContain('a.job');
    expect(await send(purge, clear(purge))).toMatchObject({ outcome: 'succeeded', result: { deleted: 1 } });
  });

  it('that is killed while it works leaves an unknown outcome, and the next call starts it anew', async () => {
    const before = new Set(children());
    await client.start(restart.instance);
    const running = send(restart, clear(restart));
    await expect.poll(() => asked, { timeout: 20_000 }).toBeGreaterThan(0);
    for (const pid of children().filter((one) => !before.has(one))) process.kill(pid, 'SIGKILL');
    expect(await running).toMatchObject({ outcome: 'unknown' });
    const look = createLook(client);
    await expect(look(restart, new AbortController().signal)).rejects.toThrow(/only reading is allowed/);
    expect(await send(purge, clear(purge))).toMatchObject({ outcome: 'succeeded' });
  });
});
