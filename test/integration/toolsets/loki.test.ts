import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lokiToolset } from '../../../src/mcp-tools/loki/index.ts';
import { type Loopback, startLoopback } from '../../real-parts/loopback.ts';
import { callTool } from './call-tool.ts';

/** As Loki documents its answers: https://grafana.com/docs/loki/latest/reference/loki-http-api/ */
const STREAMS = {
  status: 'success',
  data: {
    resultType: 'streams',
    result: [
      {
        stream: { app: 'checkout', level: 'error' },
        values: [
          ['1700000000000000002', 'second'],
          ['1700000000000000001', 'first'],
        ],
      },
      { stream: { app: 'web' }, values: [['1700000000000000003', 'alone']] },
    ],
    stats: { summary: { bytesProcessedPerSecond: 1 } },
  },
};
const MATRIX = {
  status: 'success',
  data: {
    resultType: 'matrix',
    result: [
      {
        metric: { app: 'checkout' },
        values: [
          [1700000000, '3'],
          [1700000060, '4'],
        ],
      },
    ],
  },
};
const EMPTY = { status: 'success', data: { resultType: 'streams', result: [] } };

describe('the loki toolset against answers as Loki documents them', () => {
  let loki: Loopback;
  let asked: IncomingMessage[] = [];
  let answer: { status: number; body: unknown } = { status: 200, body: EMPTY };
  const call = (name: string, input: object, more: object = {}) =>
    callTool(lokiToolset, `loki.${name}`, input, { url: `${loki.origin}/logs/`, ...more });
  const query = '{app="checkout"} |= "error" & 100%';

  beforeAll(async () => {
    loki = await startLoopback((request, response) => {
      asked.push(request);
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
    });
  });
  afterAll(() => loki?.close());
  beforeEach(() => {
    asked = [];
  });

  it('asks for the newest lines and gives them by stream', async () => {
    answer = { status: 200, body: STREAMS };
    expect(await call('query', { query })).toEqual({
      resultType: 'streams',
      streams: [
        {
          labels: { app: 'checkout', level: 'error' },
          lines: [
            ['1700000000000000002', 'second'],
            ['1700000000000000001', 'first'],
          ],
        },
        { labels: { app: 'web' }, lines: [['1700000000000000003', 'alone']] },
      ],
    });
    const url = new URL(asked[0]?.url ?? '', loki.origin);
    expect(asked[0]?.method).toBe('GET');
    expect(url.pathname).toBe('/logs/loki/api/v1/query_range');
    expect(Object.fromEntries(url.searchParams)).toEqual({ query, direction: 'backward' });
  });

  it('asks for a span of time, as a tenant, with a token', async () => {
    answer = { status: 200, body: EMPTY };
    const span = { start: '2026-11-01T00:00:00Z', end: '2026-11-01T01:00:00.5+01:00', limit: 7 };
    const settings = { tenant: 'team-a', bearerToken: 'a-token' };
    expect(await call('query', { query, ...span }, settings)).toEqual({ resultType: 'streams', streams: [] });
    const url = new URL(asked[0]?.url ?? '', loki.origin);
    expect(Object.fromEntries(url.searchParams)).toEqual({ query, direction: 'backward', ...span, limit: '7' });
    expect(asked[0]?.headers).toMatchObject({ 'x-scope-orgid': 'team-a', authorization: 'Bearer a-token' });
  });

  it('gives a metric of lines', async () => {
    answer = { status: 200, body: MATRIX };
    expect(await call('query', { query: 'count_over_time({app="checkout"}[1m])' })).toEqual({
      resultType: 'matrix',
      streams: [
        {
          labels: { app: 'checkout' },
          lines: [
            [1700000000, '3'],
            [1700000060, '4'],
          ],
        },
      ],
    });
  });

  it('lists the values of a label, also where there are none', async () => {
    answer = { status: 200, body: { status: 'success', data: ['checkout', 'web'] } };
    expect(await call('labels', { label: 'app' })).toEqual({ values: ['checkout', 'web'] });
    expect(asked[0]?.url).toBe('/logs/loki/api/v1/label/app/values');
    // Loki leaves the list out where there is none.
    answer = { status: 200, body: { status: 'success' } };
    expect(await call('labels', { label: 'nothing' })).toEqual({ values: [] });
  });

  it('passes on what Loki says of a query that it cannot read', async () => {
    answer = { status: 400, body: 'parse error at line 1, col 5: syntax error: unexpected IDENTIFIER' };
    await expect(call('query', { query: '{app' })).rejects.toThrow(
      /^Loki at http:\/\/127\.0\.0\.1:\d+ answered GET \/logs\/loki\/api\/v1\/query_range with 400: parse error at line 1/,
    );
    answer = { status: 401, body: 'no org id' };
    await expect(call('query', { query })).rejects.toThrow(/with 401: no org id\. Fix: correct the credentials/);
  });
});
