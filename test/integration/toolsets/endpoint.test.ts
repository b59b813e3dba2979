import type { RequestListener } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { alertmanagerToolset } from '../../../src/mcp-tools/alertmanager/index.ts';
import { prometheusToolset } from '../../../src/mcp-tools/prometheus/index.ts';
import { supervisorToolset } from '../../../src/mcp-tools/supervisor/index.ts';
import { OutcomeUnknown } from '../../../src/mcp-tools/tool.ts';
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

  describe('a change without an answer', () => {
    const expire = (url: string) =>
      callTool(
        alertmanagerToolset,
        'alertmanager.expire_silence',
        { id: '7b1c1f6a-3f6f-4f0e-9f57-0d3c9c1e7a11' },
        { url },
        AbortSignal.timeout(1000),
      );
    const SILENCE = { id: 'x', createdBy: 'ana', comment: 'c', endsAt: 'z', matchers: [], status: { state: 'active' } };
    const answering = (change: RequestListener): RequestListener => {
      return (request, response) => {
        if (request.method === 'GET') response.end(JSON.stringify(SILENCE));
        else change(request, response);
      };
    };

    it.each<[string, RequestListener]>([
      ['is not answered', () => {}],
      ['is broken off', ({ socket }) => socket.destroy()],
      ['is answered by a gateway that waited in vain', (_, response) => response.writeHead(504).end()],
      ['is answered by half', (_, response) => response.write('{', () => response.destroy())],
    ])('is not known, and has not failed, where it %s', async (_, change) => {
      const { origin } = await start(answering(change));
      await expect(expire(origin)).rejects.toBeInstanceOf(OutcomeUnknown);
    });

    it('has failed where the system itself says so, or nothing was sent', async () => {
      const { origin } = await start(answering((_, response) => response.writeHead(500).end('no')));
      await expect(expire(origin)).rejects.toThrow(/answered DELETE .* with 500: no/);
      await expect(expire(`http://127.0.0.1:${await freePort()}`)).rejects.toThrow(/cannot reach .*ECONNREFUSED/);
    });

    it('is not known either where supervisord took a stop', async () => {
      const info = '<struct>'.concat(
        ...['name', 'group', 'statename', 'description', 'spawnerr'].map(
          (name) => `<member><name>${name}</name><value><string>RUNNING</string></value></member>`,
        ),
        ...['pid', 'start', 'stop', 'exitstatus'].map(
          (name) => `<member><name>${name}</name><value><int>1</int></value></member>`,
        ),
        '</struct>',
      );
      const { origin } = await start(async (request, response) => {
        let body = '';
        for await (const chunk of request) body += chunk;
        if (body.includes('stopProcess')) request.socket.destroy();
        else
          response.end(
            `<?xml version='1.0'?><methodResponse><params><param><value>${info}</value></param></params></methodResponse>`,
          );
      });
      const stopped = callTool(supervisorToolset, 'supervisor.stop', { process: 'web' }, { url: origin });
      await expect(stopped).rejects.toBeInstanceOf(OutcomeUnknown);
    });
  });
});
