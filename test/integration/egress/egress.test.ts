/** Not one packet may reach a place that the operator did not open, whatever a URL, a name server or an answer says. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbedded } from '../../../src/database/index.ts';
import { createModels } from '../../../src/llm/index.ts';
import type { Resolve } from '../../../src/mcp-tools/http/egress.ts';
import { createProbe } from '../../../src/mcp-tools/http/probe.ts';
import { httpSettingsSchema } from '../../../src/mcp-tools/http/settings.ts';
import { createMetrics } from '../../../src/telemetry/index.ts';
import { type Loopback, startLoopback } from '../../real-parts/loopback.ts';
import { openaiText, rawServer, sendJson } from '../llm/raw-server.ts';
import { modelsConfig } from '../support/models.ts';

/** In no block that is handed out (2000::/3 and not assigned), so that nothing answers there. */
const NOWHERE = '2000::1';

interface Options {
  readonly allow?: readonly string[];
  readonly publicHttps?: boolean;
  readonly resolve?: Resolve;
}

async function probe(url: string, { allow = ['http://192.0.2.1'], publicHttps = true, resolve }: Options = {}) {
  const tool = createProbe(resolve);
  const settings = httpSettingsSchema.parse({ allow, publicHttps });
  return (await tool.run(tool.input.parse({ url }), { settings, signal: AbortSignal.timeout(20_000) })) as {
    status: number;
    error?: string;
  };
}

/** A resolver that gives one answer after the other, and counts how often it is asked. */
function answers(...rounds: readonly string[][]): Resolve & { asked: number } {
  const resolve = async () => {
    const addresses = rounds[Math.min(resolve.asked, rounds.length - 1)] ?? [];
    resolve.asked += 1;
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  resolve.asked = 0;
  return resolve;
}

describe('a URL from outside', () => {
  let inside: Loopback;
  let inside6: Loopback | undefined;
  const packets = () => inside.connections() + (inside6?.connections() ?? 0);

  beforeEach(async () => {
    inside = await startLoopback((_, response) => response.end('inside'));
    inside6 = await hasIpv6().then((has) =>
      has ? startLoopback((_, response) => response.end('inside'), '::1') : undefined,
    );
  });
  afterEach(async () => {
    await Promise.all([inside.close(), inside6?.close()]);
  });

  it('reaches a listed name at a private address, so that a count of none means something', async () => {
    const { port } = inside;
    const resolve = answers(['127.0.0.1']);
    const found = await probe(`http://api.shop.example:${port}/`, {
      allow: [`http://*.shop.example:${port}`],
      resolve,
    });
    expect(found).toMatchObject({ status: 200 });
    expect([resolve.asked, packets()]).toEqual([1, 1]);
  });

  it('does not get inside, however the host is spelt', async () => {
    const hosts = [
      '127.0.0.1',
      '127.1',
      '127.0.0.1.',
      '2130706433',
      '0x7f000001',
      '0x7f.0.0.1',
      '0177.0.0.1',
      '017700000001',
      '%31%32%37.0.0.1',
      '0',
      '0.0.0.0',
      '127.0.0.2',
      'localhost',
      'LocalHost',
      'localhost.',
      'shop.localhost',
      '[::1]',
      '[::]',
      '[0:0:0:0:0:0:0:1]',
      '[::127.0.0.1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '[::ffff:0:7f00:1]',
      '[64:ff9b::7f00:1]',
      '[64:ff9b::127.0.0.1]',
      '[2002:7f00:1::]',
    ];
    expect(hosts.length).toBeGreaterThanOrEqual(16);
    for (const host of hosts) {
      for (const port of [inside.port, inside6?.port ?? inside.port]) {
        for (const scheme of ['https', 'http']) {
          const url = `${scheme}://${host}:${port}/`;
          await expect(probe(url), url).rejects.toThrow(/is not a public|is neither listed nor https/);
          await expect(probe(url, { publicHttps: false }), url).rejects.toThrow(/is not among the origins/);
        }
      }
    }
    // What the URL parser would have to mend, or refuses itself.
    for (const host of ['１２７.0.0.1', '127。0。0。1', 'ⓛocalhost', '[fe80::1%25lo]', '[::1%lo]', '127.0.0.1\\@x'])
      await expect(probe(`https://${host}:${inside.port}/`), host).rejects.toThrow();
    expect(packets()).toBe(0);
  });

  it('with credentials in it goes nowhere, whichever host it seems to name', async () => {
    const urls = [
      `https://docs.example.com@127.0.0.1:${inside.port}/rb.md`,
      'https://docs.example.com@attacker.example/rb.md',
      `http://127.0.0.1:${inside.port}@attacker.example/`,
    ];
    const resolve = answers(['127.0.0.1']);
    for (const url of urls)
      await expect(probe(url, { allow: [inside.origin], resolve }), url).rejects.toThrow(/carries credentials/);
    expect([resolve.asked, packets()]).toEqual([0, 0]);
  });

  it.each([
    [['127.0.0.1']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['64:ff9b::7f00:1']],
    [['0.0.0.0']],
    [['169.254.169.254']],
    [['168.63.129.16']],
    [['fd00:ec2::254']],
    [['10.0.0.1']],
    [[NOWHERE, '127.0.0.1']],
    [['127.0.0.1', NOWHERE]],
  ])('does not get inside by a name that resolves to %j', async (addresses) => {
    const refused = probe(`https://innocent.example:${inside.port}/`, { resolve: answers(addresses) });
    await expect(refused).rejects.toThrow(/innocent\.example resolves to .*, which may not be asked/);
    expect(packets()).toBe(0);
  });

  it('connects to the address that was checked, and not to what its name server says the next time', async () => {
    const resolve = answers([NOWHERE], ['127.0.0.1'], ['127.0.0.1']);
    const found = await probe(`https://rebinding.example:${inside.port}/`, { resolve });
    expect(found.status).toBe(0);
    expect([resolve.asked, packets()]).toEqual([1, 0]);
    // Asked anew, it is checked anew.
    await expect(probe(`https://rebinding.example:${inside.port}/`, { resolve })).rejects.toThrow(
      /127\.0\.0\.1, which may not/,
    );
    expect([resolve.asked, packets()]).toEqual([2, 0]);
  });

  it('gets to no credentials of a cloud by a listed name, whose zone may be somebody else’s', async () => {
    const allow = [`http://*.shop.example:${inside.port}`];
    for (const address of [
      '169.254.169.254',
      '168.63.129.16',
      '::ffff:169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      'fd00:ec2::254',
    ]) {
      const resolve = answers([address]);
      await expect(probe(`http://a.shop.example:${inside.port}/`, { allow, resolve }), address).rejects.toThrow(
        /may not be asked/,
      );
    }
    expect(packets()).toBe(0);
  });

  it('is not left for where an answer points', async () => {
    const seen: string[] = [];
    const redirecting = await startLoopback(({ url }, response) => {
      seen.push(url ?? '');
      response
        .writeHead(Number(url?.slice(1)), { location: `${inside.origin}/`, refresh: `0; url=${inside.origin}/` })
        .end();
    });
    for (const status of [300, 301, 302, 303, 305, 307, 308]) {
      expect(
        await probe(`${redirecting.origin}/${status}`, { allow: [redirecting.origin, inside.origin] }),
      ).toMatchObject({ status });
    }
    await redirecting.close();
    expect(seen).toHaveLength(7);
    expect(packets()).toBe(0);
  });

  it('is not fetched where a tool’s schema refers to it', async () => {
    const model = await rawServer((response) => sendJson(response, 200, openaiText('fine')));
    const schema = {
      type: 'object',
      properties: { a: { $ref: `${inside.origin}/schema.json` } },
      $ref: `${inside.origin}/all.json`,
    };
    const db = await openEmbedded(null);
    const config = modelsConfig([{ provider: 'openai', model: 'm', baseUrl: `${model.url}/v1` }]);
    await createModels(config, { db, metrics: createMetrics() }).ask({
      role: 'plan',
      prompts: [],
      incidentId: null,
      messages: [{ role: 'user', content: 'plan' }],
      tools: [{ name: 'x', description: 'Foreign.', inputSchema: schema }],
      maxTokens: 10,
      signal: AbortSignal.timeout(5000),
    });
    expect(JSON.stringify(model.requests[0]?.body)).toContain('schema.json');
    await model.close();
    await db.close();
    expect(packets()).toBe(0);
  });
});

async function hasIpv6(): Promise<boolean> {
  const server = createServer().listen(0, '::1');
  const event = await Promise.race([
    once(server, 'listening').then(() => true),
    once(server, 'error').then(() => false),
  ]).catch(() => false);
  server.close();
  return event;
}
