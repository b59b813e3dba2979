import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import express, { type NextFunction, type Request, type Response } from 'express';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createGuard, whyRefused } from '../../../src/slack/incoming-guard.ts';

const now = new Date('2018-07-12T21:43:38Z');
const seconds = now.getTime() / 1000;
const signature = `v0=${'a2114d57'.repeat(8)}`;

describe('the headers of a request', () => {
  it('are taken from 300 s ago to 300 s ahead', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 100_000 }), (apart) => {
        const refused = whyRefused({ timestamp: String(seconds + apart), signature }, now) !== null;
        expect(refused).toBe(Math.abs(apart) > 300);
      }),
    );
    const at = (apart: number) => whyRefused({ timestamp: String(seconds + apart), signature }, now);
    expect([at(-300), at(300)]).toEqual([null, null]);
    expect(at(301)).toBe('a timestamp that is more than 300 s away from now');
  });

  it.each([
    '',
    ' 1531420618',
    '1531420618 ',
    '+1531420618',
    '-1531420618',
    '1531420618.0',
    '1.531420618e9',
    '0x5b47ca4a',
    '1531420618,1',
    'Infinity',
    'NaN',
    '٣',
  ])('are refused with the timestamp %j', (timestamp) => {
    expect(whyRefused({ timestamp, signature }, now)).toMatch(/timestamp/);
  });

  it.each([
    '',
    'v0=',
    signature.slice(0, -1),
    `${signature}0`,
    `${signature}=x`,
    `${signature}, ${signature}`,
    ` ${signature}`,
    signature.toUpperCase(),
    signature.replace('v0', 'v1'),
    signature.replace('v0=', ''),
  ])('are refused with the signature %j', (wrong) => {
    expect(whyRefused({ timestamp: String(seconds), signature: wrong }, now)).toMatch(/signature/);
  });

  it('are refused where one is missing', () => {
    expect(whyRefused({ timestamp: undefined, signature }, now)).toBe('no timestamp in whole seconds');
    expect(whyRefused({ timestamp: String(seconds), signature: undefined }, now)).toBe('no signature of version v0');
    expect(whyRefused({ timestamp: String(seconds), signature }, now)).toBeNull();
  });
});

describe('what stands before the check of the signature', () => {
  interface Seen {
    readonly type: string | undefined;
    readonly raw: string;
  }
  let refused = 0;
  let seen: Seen[] = [];
  let server: Server;
  let url: string;
  beforeAll(async () => {
    const app = express();
    app.use(
      createGuard(
        () => now,
        () => {
          refused += 1;
        },
      ),
    );
    app.use((request: Request & { rawBody?: Buffer }, response) => {
      seen.push({ type: request.headers['content-type'], raw: request.rawBody?.toString('utf8') ?? 'none' });
      response.status(200).end();
    });
    app.use((_error: unknown, _request: Request, response: Response, _next: NextFunction) => {
      response.status(418).end();
    });
    server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());
  beforeEach(() => {
    refused = 0;
    seen = [];
  });

  const send = async (body: string, change: { path?: string; headers?: Record<string, string> } = {}) => {
    const headers = {
      'content-type': 'text/plain',
      'x-slack-request-timestamp': String(seconds),
      'x-slack-signature': signature,
      ...change.headers,
    };
    const response = await fetch(`${url}${change.path ?? '/slack/events'}`, { method: 'POST', headers, body });
    await response.arrayBuffer();
    return response.status;
  };

  it('hands on the raw body, and decides by it whether it is JSON or a form', async () => {
    expect(
      await send('{"type":"event_callback"}', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
    ).toBe(200);
    expect(await send('payload=%7B%7D', { headers: { 'content-type': 'application/json' } })).toBe(200);
    expect(seen).toEqual([
      { type: 'application/json', raw: '{"type":"event_callback"}' },
      { type: 'application/x-www-form-urlencoded', raw: 'payload=%7B%7D' },
    ]);
    expect(refused).toBe(0);
  });

  it('refuses what cannot be from Slack before it reads the body, and counts it', async () => {
    const wrong: Record<string, string>[] = [
      { 'x-slack-signature': 'v0=1' },
      { 'x-slack-request-timestamp': String(seconds - 301) },
    ];
    for (const headers of wrong) expect(await send('{}', { headers })).toBe(401);
    expect(await send('x'.repeat(2_000_000), { headers: { 'x-slack-signature': 'v0=1' } })).toBe(401);
    expect([seen.length, refused]).toEqual([0, 3]);
  });

  it('refuses a body of more than 1 MiB, and a compressed one', async () => {
    const chunked = { 'content-encoding': 'gzip' };
    expect(await send('x'.repeat(1024 * 1024))).toBe(200);
    expect(await send('x'.repeat(1024 * 1024 + 1))).toBe(418);
    expect(await send('{}', { headers: chunked })).toBe(418);
    expect([seen.length, refused]).toEqual([1, 0]);
  });

  it('refuses a request that has no body at all', async () => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const lines = [
      'POST /slack/events HTTP/1.1',
      'host: slack.test',
      'connection: close',
      `x-slack-request-timestamp: ${seconds}`,
      `x-slack-signature: ${signature}`,
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 401/);
    expect([seen.length, refused]).toEqual([0, 1]);
  });

  it('lets other paths by without a word', async () => {
    expect(await send('{}', { path: '/other', headers: { 'x-slack-signature': 'wrong' } })).toBe(200);
    expect(seen).toEqual([{ type: 'text/plain', raw: 'none' }]);
  });
});
