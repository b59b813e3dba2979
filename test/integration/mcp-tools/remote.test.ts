import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Call,
  createCatalogue,
  createToolClient,
  type SignedClearance,
  TOOLSETS,
  type ToolClient,
} from '../../../src/mcp-tools/index.ts';
import { createMint, publicKeyOf, readSigningKey } from '../../../src/policy/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { makeAuthority } from '../../real-parts/authority.ts';
import { onPath } from '../../real-parts/on-path.ts';
import { freePort, type Program, scratchDirectory, startProgram } from '../../real-parts/program.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const missing = onPath('openssl') ? '' : ' (skipped: openssl is not on the path)';

describe.skipIf(missing !== '')(`a toolset on another host${missing}`, () => {
  const { path: directory, remove } = scratchDirectory();
  const spool = join(directory, 'spool');
  const keyFile = join(directory, 'clearance.key');
  const mint = createMint(readSigningKey(keyFile));
  const ours = makeAuthority(directory, 'ours');
  const strangers = makeAuthority(directory, 'strangers');
  const nightshift = { ...ours.sign('nightshift'), ca: ours.ca };
  const host = { ...ours.sign('host'), ca: ours.ca };
  const clients: ToolClient[] = [];
  let address = '';
  let program: Program;
  let purge: Call;

  const start = async (port: number) => {
    const options = { listen: `127.0.0.1:${port}`, ...host, 'clearance-key': join(directory, 'clearance.pub') };
    const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    program = await startProgram(process.execPath, [MAIN, 'toolset', 'spools', ...words], {
      directory,
      env: { PATH: process.env.PATH ?? '' },
    });
    await program.waitForLine(/listens on/);
  };
  const clientOf = (certificates = nightshift) => {
    const { instances, resolve } = createCatalogue(TOOLSETS, {
      spools: {
        ...{ uses: 'host', match: [], directories: { shop: { path: spool } } },
        remote: { address, ...certificates },
      },
    });
    const resolution = resolve('host.purge', { directory: 'shop' }, {});
    if (!resolution.ok) throw new Error(resolution.message);
    purge = resolution.call;
    const parts = { publicKey: mint.publicKey, metrics: createMetrics(), log: createLogger('silent') };
    const client = createToolClient({ instances, ...parts });
    clients.push(client);
    return client;
  };
  const clear = (at = new Date(), by = mint) =>
    by.clear(purge, { incident: 'INC-1', action: 'act-1', grantor: 'test' }, at);
  const send = (client: ToolClient, clearance?: SignedClearance, call: Call = purge) =>
    client.call(call, { signal: new AbortController().signal, ...(clearance ? { clearance } : {}) });
  const place = () => ({ host: '127.0.0.1', port: Number(address.split(':')[1]) });
  const failed = (error: RegExp) => ({ outcome: 'failed', error: expect.stringMatching(error) });

  beforeAll(async () => {
    mkdirSync(spool);
    writeFileSync(join(directory, 'clearance.pub'), publicKeyOf(readSigningKey(keyFile)));
    writeFileSync(
      join(directory, 'nightshift.yaml'),
      `toolsets:\n  spools: { uses: host, directories: { shop: { path: ${spool} } } }\n`,
    );
    const port = await freePort();
    address = `127.0.0.1:${port}`;
    await start(port);
  });
  beforeEach(() => writeFileSync(join(spool, 'a.job'), 'x'));
  afterAll(async () => {
    for (const client of clients) await client.close();
    await program.stop();
    remove();
  });

  it('runs a change with a clearance, once, whichever client brings it', async () => {
    const [one, other] = [clientOf(), clientOf()];
    const clearance = clear();
    expect(await send(one, clearance)).toMatchObject({ outcome: 'succeeded', result: { deleted: 1 } });
    writeFileSync(join(spool, 'b.job'), 'x');
    expect(await send(other, clearance)).toMatchObject(failed(/was used before/));
    expect(readdirSync(spool)).toEqual(['b.job']);
  });

  it('runs its read tools without one, and nothing else', async () => {
    const client = clientOf();
    expect(await send(client, undefined, { ...purge, tool: 'host.load', arguments: {} })).toMatchObject({
      outcome: 'succeeded',
    });
    expect(await send(client)).toMatchObject(failed(/came without a clearance/));
    expect(await send(client, clear(new Date(), createMint()))).toMatchObject(failed(/not signed by this Nightshift/));
    expect(readdirSync(spool)).toContain('a.job');
  });

  it('bears a clock of Nightshift that is a second ahead, and no more than two', async () => {
    const client = clientOf();
    expect(await send(client, clear(new Date(Date.now() + 5000)))).toMatchObject(failed(/from the future/));
    expect(await send(client, clear(new Date(Date.now() + 1000)))).toMatchObject({ outcome: 'succeeded' });
  });

  it('lists its read tools only', async () => {
    const socket = connectTls({ ...place(), ...pemsOf(nightshift) });
    const lines = linesOf(socket);
    const say = (message: object) => socket.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    const info = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
    say({ id: 1, method: 'initialize', params: info });
    await lines.next();
    say({ method: 'notifications/initialized' });
    say({ id: 2, method: 'tools/list' });
    const { value } = await lines.next();
    const { tools } = (JSON.parse(String(value)) as { result: { tools: { name: string }[] } }).result;
    expect(tools.map(({ name }) => name)).toContain('host.load');
    expect(tools.map(({ name }) => name)).not.toContain('host.purge');
    socket.destroy();
  });

  it('speaks with nobody whose certificate another authority signed, or who has none', async () => {
    const stranger = { ...strangers.sign('stranger'), ca: ours.ca };
    expect(await send(clientOf(stranger), clear())).toMatchObject({ outcome: expect.stringMatching(/failed|unknown/) });
    const socket = connectTls({ ...place(), ca: pemsOf(nightshift).ca });
    const lines = linesOf(socket);
    socket.write('{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n');
    expect((await lines.next()).value).toBeUndefined();
    expect(readdirSync(spool)).toContain('a.job');
  });

  it('is not believed when another authority signed its certificate', async () => {
    expect(await send(clientOf({ ...nightshift, ca: strangers.ca }), clear())).toMatchObject(
      failed(/spools cannot be reached at 127.*(certificate|issuer)/),
    );
  });

  it('changes nothing by a tool that is declared otherwise there', async () => {
    const client = clientOf();
    const other = mint.clear(
      { ...purge, toolSha256: 'a'.repeat(64) },
      { incident: 'INC-1', action: 'act-1', grantor: 'test' },
      new Date(),
    );
    expect(await send(client, other)).toMatchObject(failed(/declared otherwise here/));
    expect(readdirSync(spool)).toContain('a.job');
  });

  it('is not kept from Nightshift by whoever connects and proves nothing', async () => {
    const strangers = Array.from({ length: 32 }, () => connect(place()).on('error', () => {}));
    await Promise.all(strangers.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    expect(await clientOf().start('spools')).toBeNull();
    for (const socket of strangers) socket.destroy();
  });

  it('is connected to anew where the connection is silent, as one is whose other end has lost power', async () => {
    let silent = false;
    const sockets: Socket[] = [];
    const between = createServer((socket) => {
      const far = connect(place());
      sockets.push(socket, far);
      const isOld = sockets.length === 2;
      for (const [from, to] of [
        [socket, far],
        [far, socket],
      ] as const)
        from.on('error', () => to.destroy()).on('data', (data) => (silent && isOld) || to.write(data));
    });
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
    const real = address;
    address = `127.0.0.1:${(between.address() as { port: number }).port}`;
    const client = clientOf();
    address = real;
    const load = { ...purge, tool: 'host.load', arguments: {}, timeoutSeconds: 0 };
    expect(await send(client, undefined, load)).toMatchObject({ outcome: 'succeeded' });
    silent = true;
    expect(await send(client, undefined, load)).toMatchObject({ outcome: 'unknown' });
    expect(await send(client, undefined, load)).toMatchObject({ outcome: 'succeeded' });
    between.close();
    for (const socket of sockets) socket.destroy();
  }, 30_000);

  it('leaves what happened unknown when the connection breaks, and is connected to anew', async () => {
    // Between the two, so that it can be cut.
    const sockets: Socket[] = [];
    const between = createServer((socket) => {
      const onward = Number(address.split(':')[1]);
      const far = connect(onward, '127.0.0.1');
      sockets.push(socket, far);
      for (const [from, to] of [
        [socket, far],
        [far, socket],
      ] as const)
        from
          .on('error', () => to.destroy())
          .on('close', () => to.destroy())
          .pipe(to);
    });
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
    const real = address;
    address = `127.0.0.1:${(between.address() as { port: number }).port}`;
    const client = clientOf();
    address = real;
    expect(await client.start('spools')).toBeNull();
    const sent = send(client, clear());
    for (const socket of sockets) socket.destroy();
    expect(await sent).toMatchObject({ outcome: 'unknown', error: expect.stringMatching(/spools ended before/) });
    expect(await send(client, undefined, { ...purge, tool: 'host.load', arguments: {} })).toMatchObject({
      outcome: 'succeeded',
    });
    between.close();
    for (const socket of sockets) socket.destroy();
  });

  it('says so when it is away, and changes nothing by a clearance from before it was started', async () => {
    const client = clientOf();
    const before = clear();
    await program.stop();
    expect(await send(client, clear())).toMatchObject(failed(/cannot be reached at .*ECONNREFUSED/));
    await start(Number(address.split(':')[1]));
    expect(await send(client, before)).toMatchObject(failed(/older than its toolset process|expired/));
    expect(readdirSync(spool)).toContain('a.job');
  });
});

function pemsOf({ certificate, key, ca }: { certificate: string; key: string; ca: string }) {
  return { cert: readFileSync(certificate), key: readFileSync(key), ca: readFileSync(ca) };
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let text = '';
  try {
    for await (const data of socket) {
      text += String(data);
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        yield text.slice(0, end);
        text = text.slice(end + 1);
      }
    }
  } catch {
    // What ends the connection ends the lines.
  }
}
