/** What a stage and a call look like in a trace when they end in the ways in which a whole Nightshift seldom does. */
import { createServer } from 'node:http';
import { Agent } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { type Incident, loadIncident, openIncident } from '../../../src/incident/index.ts';
import { handOnTrace } from '../../../src/mcp-tools/handed-on.ts';
import type { Call } from '../../../src/mcp-tools/index.ts';
import { guardedFetch } from '../../../src/mcp-tools/mcp/guarded-fetch.ts';
import { traceCall, traceMeta } from '../../../src/mcp-tools/trace-call.ts';
import { Fenced } from '../../../src/remediation/land.ts';
import { traceStage } from '../../../src/remediation/trace-stage.ts';
import {
  createLogger,
  createTracer,
  inSpan,
  newTraceId,
  rootSpanId,
  type Tracer,
} from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { listen } from '../support/doubles.ts';
import { type Collector, startCollector } from './collector.ts';

let collector: Collector;
let tracer: Tracer;
let db: Database;
let gone: Database;
let incident: Incident;

beforeAll(async () => {
  collector = await startCollector();
  const [{ open } = expect.fail()] = anyDatabase;
  [db, gone] = await Promise.all([open(), open()]);
  await gone.close();
});
afterAll(async () => {
  await db.close();
  collector.stop();
});
beforeEach(async () => {
  collector.spans.length = 0;
  const where = { endpoint: collector.url, headers: {}, content: true, sampleRatio: 1, resource: {} };
  tracer = await createTracer(where, createLogger('silent'));
  const about = {
    state: 'verifying',
    correlationKey: newTraceId(),
    title: 't',
    severity: 'critical',
    labels: {},
  } as const;
  const id = await openIncident(db, { ...about, context: { v: 1 }, because: 'a test', actor: 'test' });
  incident = await loadIncident(db, id);
});

const seen = async () => {
  await tracer.stop();
  return collector.spans;
};

describe('a stage', () => {
  it('that another worker has by now has not failed', async () => {
    const run = () => traceStage({ tracer, db }, incident, () => Promise.reject(new Fenced()));
    await expect(run()).rejects.toThrow(Fenced);
    expect(await seen()).toMatchObject([
      {
        name: 'stage verifying',
        parentSpanId: rootSpanId(incident.traceId, 1),
        status: { code: 'unset' },
        attributes: { 'nightshift.outcome': 'moved' },
      },
    ]);
  });

  it('that throws has failed, and throws', async () => {
    const run = () => traceStage({ tracer, db }, incident, () => Promise.reject(new TypeError('no such thing')));
    await expect(run()).rejects.toThrow('no such thing');
    expect(await seen()).toMatchObject([
      { status: { code: 'error', message: 'no such thing' }, attributes: { 'error.type': 'TypeError' } },
    ]);
  });

  it.each(['moved', 'woken'] as const)('whose end was not written (%s) records no root', async (landed) => {
    const ran = { outcome: { state: 'resolved' as const }, landed };
    expect(await traceStage({ tracer, db }, incident, async () => ran)).toBe(ran);
    expect(await seen()).toMatchObject([{ name: 'stage verifying', attributes: { 'nightshift.outcome': landed } }]);
  });

  it.each([
    ['resolved', ['stage verifying', 'incident']],
    ['stopped', ['stage verifying', 'incident']],
    ['escalated', ['stage verifying']],
  ] as const)('that ends as %s is followed by %j', async (state, names) => {
    const ran = { outcome: { state }, landed: 'left' as const };
    expect(await traceStage({ tracer, db }, incident, async () => ran)).toBe(ran);
    expect((await seen()).map(({ name }) => name)).toEqual(names);
  });

  it('goes on where its root cannot be recorded', async () => {
    const ran = { outcome: { state: 'resolved' as const }, landed: 'left' as const };
    expect(await traceStage({ tracer, db: gone }, incident, async () => ran)).toBe(ran);
    expect((await seen()).map(({ name }) => name)).toEqual(['stage verifying']);
  });
});

describe('a call', () => {
  const call: Call = {
    ...{ instance: 'shop', tool: 'host.purge', arguments: { directory: 'spool' }, target: 'shop:directory spool' },
    ...{ risk: 'destructive', undo: 'nothing', timeoutSeconds: 5, definitionSha256: '' },
  };
  const files = { ca: '', certificate: '', key: '' };
  const within = <T>(run: () => Promise<T>) => inSpan(tracer.start('stage', null), run);

  it('of a toolset on another host says where that is', async () => {
    const answer = { outcome: 'succeeded', result: { done: true } } as const;
    for (const address of ['web-1.internal:8643', '[2001:db8::1]:8643'])
      await within(() => traceCall(call, { address, ...files }, async () => answer));
    const attributes = (await seen()).flatMap(({ kind, attributes: all }) => (kind === 'client' ? [all] : []));
    expect(attributes).toMatchObject(
      ['web-1.internal', '2001:db8::1'].map((address) => ({
        'network.transport': 'tcp',
        'server.address': address,
        'server.port': 8643,
        'gen_ai.tool.call.result': '{"done":true}',
      })),
    );
  });

  it.each([
    [{ outcome: 'failed', error: 'no' } as const, 'tool_error'],
    [{ outcome: 'unknown', error: 'no' } as const, 'outcome_unknown'],
    [{ ok: false, error: 'no' } as const, 'tool_error'],
  ])('that ended as %o has failed', async (answer, type) => {
    await within(() => traceCall(call, undefined, async () => answer));
    const [span] = await seen();
    expect(span).toMatchObject({ status: { code: 'error', message: 'no' }, attributes: { 'error.type': type } });
    expect(span?.attributes).not.toHaveProperty('gen_ai.tool.call.result');
  });

  it('says to which span it belongs, and nothing where nothing is traced', async () => {
    expect(traceMeta()).toEqual({});
    const meta = await within(async () => traceMeta());
    const [span] = await seen();
    expect(meta).toEqual({ traceparent: `00-${span?.traceId}-${span?.spanId}-01` });
  });

  it('is told to the MCP server, and not to where one signs in for it', async () => {
    const seenBy: Record<string, unknown> = {};
    const agent = new Agent();
    const servers = ['server', 'issuer'].map((name) =>
      createServer((request, response) => {
        seenBy[name] = request.headers;
        response.end();
      }),
    );
    const [server, issuer] = (await Promise.all(servers.map(listen))).map((host) => new URL(`http://${host}/x`));
    const ask = guardedFetch({ server: server as URL, issuer: issuer as URL, agent });
    const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
    const how = { method: 'POST', headers: { 'x-own': 'kept' }, body: '{}' };
    await handOnTrace({ traceparent }, async () => {
      for (const url of [server, issuer]) await ask(url as URL, how);
    });
    expect(seenBy).toMatchObject({ server: { traceparent, 'x-own': 'kept' }, issuer: { 'x-own': 'kept' } });
    expect(seenBy.issuer).not.toHaveProperty('traceparent');
    await agent.close();
    for (const one of servers) one.close();
  });
});
