import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { httpToolset } from '../../../src/mcp-tools/http/index.ts';
import { type Loopback, startLoopback } from '../../real-parts/loopback.ts';
import { freePort } from '../../real-parts/program.ts';
import { callTool } from './call-tool.ts';

interface Probed {
  status: number;
  ok: boolean;
  durationMs: number;
  bodyStart: string;
  error?: string;
}

const probe = async (allow: string[], url: string, more: object = {}, signal?: AbortSignal) =>
  (await callTool(httpToolset, 'http.probe', { url, ...more }, { allow }, signal)) as unknown as Probed;

describe('http.probe', () => {
  let service: Loopback;
  const methods: string[] = [];

  beforeAll(async () => {
    service = await startLoopback(({ url, method, headers }, response) => {
      methods.push(`${method} ${url}`);
      if (url === '/down') response.writeHead(503).end('pool exhausted');
      else if (url === '/long') response.end('é'.repeat(100_000));
      else if (url === '/endless')
        response.on('drain', () => response.write(Buffer.alloc(65_536))).write(Buffer.alloc(65_536));
      else if (url === '/hung') response.flushHeaders();
      else if (url === '/silent') return;
      else if (url === '/cut')
        response.writeHead(200, { 'content-length': 100 }).write('half', () => response.destroy());
      else if (url === '/headers') response.end(JSON.stringify(headers));
      else response.end('fine');
    });
  });
  afterAll(async () => service.close());

  it('reports status, time and the start of the body', async () => {
    const { durationMs, ...fine } = await probe([service.origin], `${service.origin}/healthz?deep=1`);
    expect(fine).toEqual({ status: 200, ok: true, bodyStart: 'fine' });
    expect(durationMs).toBeGreaterThanOrEqual(0);
    expect(durationMs).toBeLessThan(5000);
    expect(await probe([service.origin], `${service.origin}/down`)).toMatchObject({
      status: 503,
      ok: false,
      bodyStart: 'pool exhausted',
    });
  });

  it('asks by HEAD if told to, and sends no credential', async () => {
    expect(await probe([service.origin], `${service.origin}/head`, { method: 'HEAD' })).toMatchObject({
      status: 200,
      ok: true,
      bodyStart: '',
    });
    expect(methods).toContain('HEAD /head');
    const sent = JSON.parse((await probe([service.origin], `${service.origin}/headers`)).bodyStart);
    expect(sent.connection).toBe('close');
    expect(Object.keys(sent).sort()).toEqual(['accept', 'accept-encoding', 'connection', 'host', 'user-agent']);
  });

  it('reads the first 2 KiB of a long or endless body, without half a character at the end', async () => {
    expect((await probe([service.origin], `${service.origin}/long`)).bodyStart).toBe('é'.repeat(1024));
    expect(await probe([service.origin], `${service.origin}/endless`)).toMatchObject({ status: 200, ok: true });
  });

  it('opens a connection of its own each time', async () => {
    const before = service.connections();
    await probe([service.origin], service.origin);
    await probe([service.origin], service.origin);
    expect(service.connections() - before).toBe(2);
  });

  it('reports a refused connection as what it found out', async () => {
    const port = await freePort();
    const found = await probe(['http://127.0.0.1:*'], `http://127.0.0.1:${port}/`);
    expect(found).toMatchObject({ status: 0, ok: false, error: 'connection refused', bodyStart: '' });
  });

  it('probes ports that browsers bar', async () => {
    expect(await probe(['http://127.0.0.1:1'], 'http://127.0.0.1:1/')).toMatchObject({
      status: 0,
      error: 'connection refused',
    });
  });

  it('reports a host name that does not exist', async () => {
    const found = await probe(['http://no-such-host.invalid'], 'http://no-such-host.invalid/');
    expect(found).toMatchObject({
      status: 0,
      ok: false,
      error: expect.stringMatching(/^host name not (found|resolved)/),
    });
  });

  it('gives up after five seconds, before or in the body, and says so', async () => {
    const [silent, hung] = await Promise.all([
      probe([service.origin], `${service.origin}/silent`),
      probe([service.origin], `${service.origin}/hung`),
    ]);
    expect(silent).toMatchObject({ status: 0, ok: false, error: 'no complete answer within 5 s' });
    expect(hung).toMatchObject({ status: 200, ok: false, error: 'no complete answer within 5 s' });
    for (const { durationMs } of [silent, hung]) expect(Math.abs(durationMs - 5000)).toBeLessThan(900);
  }, 10_000);

  it('keeps what came of an answer that was cut off', async () => {
    const found = await probe([service.origin], `${service.origin}/cut`);
    expect(found).toMatchObject({
      status: 200,
      ok: false,
      bodyStart: 'half',
      error: expect.stringMatching(/connection (closed|reset)/),
    });
  });

  it('reports an answer that is not HTTP', async () => {
    const server = createServer((socket) => socket.end('220 mail.shop.example ESMTP\r\n')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const found = await probe(['http://127.0.0.1:*'], `http://127.0.0.1:${port}/`);
    server.close();
    expect(found).toMatchObject({ status: 0, ok: false, error: expect.stringMatching(/Expected HTTP/) });
  });

  it('fails, rather than reports, when its caller goes away', async () => {
    await expect(probe([service.origin], `${service.origin}/silent`, {}, AbortSignal.timeout(100))).rejects.toThrow(
      /broken off by its caller/,
    );
  });
});

describe('http.probe, outside its allow-list', () => {
  let allowed: Loopback;
  let other: Loopback;

  beforeEach(async () => {
    other = await startLoopback((_, response) => response.end('secret'));
    allowed = await startLoopback((_, response) => response.writeHead(302, { location: `${other.origin}/` }).end());
  });
  afterEach(async () => {
    await Promise.all([allowed.close(), other.close()]);
  });

  it('counts a connection where one is allowed, so that a count of none means something', async () => {
    await probe([other.origin], other.origin);
    expect(other.connections()).toBe(1);
  });

  it('sends not one packet to another origin, however its URL is spelt', async () => {
    const [a, b] = [allowed.port, other.port];
    const refused =
      /is not among the origins that may be probed .*Fix: add ".*" to the setting `allow`|carries credentials/;
    const urls = [
      `http://127.0.0.1:${b}/`,
      `http://127.0.0.1:${a}@127.0.0.1:${b}/`,
      `http://127.0.0.1:${a}%40127.0.0.1:${b}@127.0.0.1:${b}/`,
      `http://user:secret@127.0.0.1:${a}/`,
      `http://@127.0.0.1:${b}/`,
      `http://2130706433:${b}/`,
      `http://0x7f000001:${b}/`,
      `http://0x7f.0.0.1:${b}/`,
      `http://0177.0.0.1:${b}/`,
      `http://017700000001:${b}/`,
      `http://127.1:${b}/`,
      `http://127.0.0.1.:${b}/`,
      `http://%31%32%37.0.0.1:${b}/`,
      `http://0:${b}/`,
      `http://0.0.0.0:${a}/`,
      `http://127.0.0.2:${a}/`,
      `http://localhost:${a}/`,
      `http://localhost:${b}/`,
      `http://LOCALHOST:${b}/`,
      `http://localhost.:${a}/`,
      `http://[::1]:${b}/`,
      `http://[::]:${b}/`,
      `http://[::ffff:127.0.0.1]:${b}/`,
      `http://[::ffff:127.0.0.1]:${a}/`,
      `http://[::ffff:7f00:1]:${b}/`,
      `http://[0:0:0:0:0:ffff:7f00:0001]:${b}/`,
      `http:///127.0.0.1:${b}/`,
      `http://127.0.0.1:${b}/?http://127.0.0.1:${a}`,
      `http://127.0.0.1:${b}/#@127.0.0.1:${a}/`,
      `http://127.0.0.1:${b}?@127.0.0.1:${a}/`,
      `http://127.0.0.1:${b}/http://127.0.0.1:${a}/`,
      `https://127.0.0.1:${a}/`,
    ];
    for (const url of urls) await expect(probe([allowed.origin], url), url).rejects.toThrow(refused);
    expect([allowed.connections(), other.connections()]).toEqual([0, 0]);
  });

  it('refuses credentials even for an allowed origin, and does not repeat them', async () => {
    const refused = probe([allowed.origin], `http://user:hunter2@127.0.0.1:${allowed.port}/`);
    await expect(refused).rejects.toThrow(/carries credentials.*Fix: leave out what stands before the @/);
    await expect(refused).rejects.not.toThrow(/hunter2/);
    expect(allowed.connections()).toBe(0);
  });

  it('takes nothing for a URL that the URL parser would have to mend first', async () => {
    const b = other.port;
    const urls = [
      `http://127.0.0.1:${allowed.port}\\@127.0.0.1:${b}/`,
      `http:\\\\127.0.0.1:${b}/`,
      ` http://127.0.0.1:${b}/`,
      `http://127.0.0.1:${b}/\n`,
      `ht\ttp://127.0.0.1:${b}/`,
      `http://127。0。0。1:${b}/`,
      `http://１２７.0.0.1:${b}/`,
      `HTTP://127.0.0.1:${b}/`,
      `http:/127.0.0.1:${b}/`,
      `//127.0.0.1:${b}/`,
      'file:///etc/passwd',
      `ftp://127.0.0.1:${b}/`,
      `ws://127.0.0.1:${b}/`,
      'data:text/plain,hello',
    ];
    // Even an operator who allows this very origin gets it by its plain URL only.
    for (const url of urls)
      await expect(probe([other.origin], url), url).rejects.toThrow(/absolute http:\/\/ or https:\/\/ URL/);
    expect([allowed.connections(), other.connections()]).toEqual([0, 0]);
  });

  it('takes an odd spelling of the allowed host for that host, and connects to no other', async () => {
    for (const host of ['2130706433', '0x7f.1', '127.0.0.1.']) {
      expect(await probe([allowed.origin], `http://${host}:${allowed.port}/`)).toMatchObject({ status: 302 });
    }
    expect([allowed.connections(), other.connections()]).toEqual([3, 0]);
  });

  it('reports a redirect and does not follow it', async () => {
    expect(await probe([allowed.origin], allowed.origin)).toMatchObject({ status: 302, ok: false });
    expect([allowed.connections(), other.connections()]).toEqual([1, 0]);
  });
});
