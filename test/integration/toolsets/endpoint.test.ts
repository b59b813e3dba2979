import type { RequestListener } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { prometheusToolset } from '../../../src/mcp-tools/prometheus/index.ts';
import { supervisorToolset } from '../../../src/mcp-tools/supervisor/index.ts';
import { type Loopback, startLoopback } from '../../real-parts/loopback.ts';
import { freePort } from '../../real-parts/program.ts';
import { callTool } from './call-tool.ts';

/** What a declared endpoint must not be able to do to us, and what real Prometheus and supervisord do not show. */
describe('a declared endpoint', () => {
  const open: Loopback[] = [];
  const start = async (listener: RequestListener) => {
    const loopback = await startLoopback(listener);
    open.push(loopback);
    return loopback;
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((loopback) => loopback.close()));
  });

  const ask = {
    prometheus: (url: string, more: object = {}, signal?: AbortSignal) =>
      callTool(prometheusToolset, 'prometheus.query', { query: 'up' }, { url, ...more }, signal),
    supervisor: (url: string, more: object = {}, signal?: AbortSignal) =>
      callTool(supervisorToolset, 'supervisor.status', {}, { url, ...more }, signal),
  };
  const toolsets = ['prometheus', 'supervisor'] as const;

  it.each(toolsets)('%s: a redirect is not followed', async (toolset) => {
    const elsewhere = await start((_, response) => response.end('{}'));
    const loopback = await start((_, response) => response.writeHead(307, { location: elsewhere.origin }).end());
    await expect(ask[toolset](loopback.origin)).rejects.toThrow(
      /answered with a redirect \(307\), which is not followed/,
    );
    expect([loopback.connections(), elsewhere.connections()]).toEqual([1, 0]);
  });

  it.each([
    ['prometheus', 4 * 1024 * 1024],
    ['supervisor', 1024 * 1024],
  ] as const)('%s: an endless answer is cut off after %i bytes', async (toolset, bytes) => {
    let sent = 0;
    const loopback = await start((_, response) => {
      const chunk = Buffer.alloc(64 * 1024, 0x20);
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on('drain', more);
      more();
    });
    await expect(ask[toolset](loopback.origin)).rejects.toThrow(`answered with more than ${bytes} bytes`);
    expect(sent).toBeLessThan(bytes * 4);
  });

  it.each(toolsets)('%s: a hung endpoint is given up on', async (toolset) => {
    const loopback = await start(() => {});
    await expect(ask[toolset](loopback.origin, {}, AbortSignal.timeout(200))).rejects.toThrow(/did not answer in time/);
  });

  it.each(toolsets)('%s: an answer that stops halfway is given up on', async (toolset) => {
    const loopback = await start((_, response) => {
      response.write('{');
    });
    await expect(ask[toolset](loopback.origin, {}, AbortSignal.timeout(200))).rejects.toThrow(/did not answer in time/);
  });

  it.each(toolsets)('%s: a closed port is named, with the setting', async (toolset) => {
    const port = await freePort();
    await expect(ask[toolset](`http://127.0.0.1:${port}`)).rejects.toThrow(
      new RegExp(`cannot reach .*127.0.0.1:${port}.*ECONNREFUSED.*\`url\``),
    );
  });

  it.each(toolsets)('%s: something else that answers is told apart', async (toolset) => {
    const loopback = await start((_, response) => response.end('<html>Welcome</html>'));
    await expect(ask[toolset](loopback.origin)).rejects.toThrow(/does not speak the API of Prometheus|is not XML-RPC/);
    const binary = await start((_, response) => response.end(Buffer.from([0xff, 0xfe, 0x00])));
    await expect(ask[toolset](binary.origin)).rejects.toThrow(/not UTF-8/);
  });

  it('prometheus: sends the bearer token, and only where one is set', async () => {
    const seen: (string | undefined)[] = [];
    const loopback = await start(({ headers }, response) => {
      seen.push(headers.authorization);
      response.end('{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["partial"]}');
    });
    expect(await ask.prometheus(loopback.origin, { bearerToken: 'token-1' })).toMatchObject({
      result: [],
      warnings: ['partial'],
    });
    await ask.prometheus(loopback.origin);
    expect(seen).toEqual(['Bearer token-1', undefined]);
  });

  it('prometheus: an overloaded server is told in its own words', async () => {
    const loopback = await start((_, response) =>
      response
        .writeHead(503)
        .end('{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}'),
    );
    await expect(ask.prometheus(loopback.origin)).rejects.toThrow(
      /could not answer \(503, timeout\): query timed out.*Fix: narrow the query/,
    );
  });
});
