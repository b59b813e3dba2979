import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dnsToolset } from '../../../src/mcp-tools/dns/index.ts';
import { freePort } from '../../real-parts/program.ts';
import { callTool } from './call-tool.ts';

const [NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME] = [0, 2, 3];
/** Every name that this name server knows, with the data of its address records. */
const ZONE: Record<string, { code: number; addresses?: string[] }> = {
  'www.shop.example': { code: NO_ERROR, addresses: ['192.0.2.7', '192.0.2.8'] },
  'empty.shop.example': { code: NO_ERROR, addresses: [] },
  'broken.shop.example': { code: SERVER_FAILURE },
};

/** Answers one question as RFC 1035 §4 has it; the names in the answers point back to the question. */
function answerTo(query: Buffer): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('ascii', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const { code, addresses = [] } = ZONE[labels.join('.').toLowerCase()] ?? { code: NO_SUCH_NAME };
  const head = Buffer.alloc(12);
  head.writeUInt16BE(query.readUInt16BE(0), 0);
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(addresses.length, 6);
  const records = addresses.map((address) =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split('.').map(Number)]),
  );
  return Buffer.concat([head, query.subarray(12, at + 5), ...records]);
}

describe('dns.resolve', () => {
  let server: Socket;
  let asked = 0;
  const resolve = (input: object, more: object = {}) =>
    callTool(dnsToolset, 'dns.resolve', input, {
      domains: ['shop.example'],
      servers: [`127.0.0.1:${server.address().port}`],
      ...more,
    });

  beforeAll(async () => {
    server = createSocket('udp4', (query, { port, address }) => {
      asked += 1;
      server.send(answerTo(query), port, address);
    });
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => void server?.close());

  it('gives the records of a name', async () => {
    expect(await resolve({ name: 'www.shop.example' })).toEqual({
      name: 'www.shop.example',
      type: 'A',
      found: true,
      count: 2,
      records: ['192.0.2.7', '192.0.2.8'],
      durationMs: expect.any(Number),
    });
  });

  it.each([
    ['nothing.shop.example', 'the name does not exist'],
    ['empty.shop.example', 'the name has no record of this type'],
    ['broken.shop.example', 'the name server failed (SERVFAIL)'],
  ])('finds out about %s', async (name, why) => {
    expect(await resolve({ name })).toMatchObject({ found: false, records: [], why });
  });

  it('finds out that no name server answers', async () => {
    const servers = [`127.0.0.1:${await freePort()}`];
    expect(await resolve({ name: 'www.shop.example' }, { servers })).toMatchObject({
      found: false,
      why: expect.stringMatching(/^no name server/),
    });
  });

  it('asks for nothing outside the declared domains', async () => {
    const before = asked;
    for (const name of ['shop.example.evil.test', 'notshop.example', 'evil.test', 'example'])
      await expect(resolve({ name })).rejects.toThrow(/none of the domains|whole name/);
    for (const name of [
      'SHOP.example',
      'www.shop.example.',
      '*.shop.example',
      'a..shop.example',
      'shop.example\n',
      'sh\u043ep.example',
    ])
      await expect(resolve({ name })).rejects.toThrow(/whole name/);
    expect(asked).toBe(before);
    expect(dnsToolset.settings.safeParse({ domains: ['shop.example'], servers: ['resolver.test'] }).success).toBe(
      false,
    );
    expect(
      dnsToolset.settings.safeParse({ domains: ['shop.example'], servers: ['::1', '[::1]:53', '1.1.1.1'] }).success,
    ).toBe(true);
    expect(dnsToolset.settings.safeParse({ domains: ['example'] }).success).toBe(false);
  });
});
