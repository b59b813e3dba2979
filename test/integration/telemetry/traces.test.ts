/** A whole Nightshift with models and tools, and what a collector reads off the wire of each incident's trace. */
import { readFileSync } from 'node:fs';
import { LLMock } from '@copilotkit/aimock';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyDatabase } from '../../real-parts/databases.ts';
import { eventually, scratchDirectory } from '../../real-parts/program.ts';
import { expectNothingOf } from '../../unit/telemetry/encodings.ts';
import { proposal, type Script, startScript } from '../models/script.ts';
import { type CountingSupervisor, type Pages, startCountingSupervisor, startPages } from '../support/doubles.ts';
import { type DriftingFiles, driftingFiles, pinForeign } from '../support/foreign.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';
import { type Collector, type Seen, startCollector } from './collector.ts';
import { type NotingServer, startNotingServer } from './noting-server.ts';

const RUNBOOK = `---
match: ['alertname="WorkerStuck"']
remedies:
  - name: restart
    steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
verify:
  - { tool: http.probe, with: { url: "http://{{ labels.instance }}/{{ labels.process }}" }, expect: status == 200, within: 5s }
  - { tool: notes.count, with: {}, expect: count == 0, within: 5s }
  - { tool: files.list_directory, with: { path: "{{ labels.folder }}" }, expect: 'content == ""', within: 5s }
---
# Worker is stuck
A worker hangs on a poison job, and every job behind it waits. Restart it.
`;
/** Known by its surroundings, and known because the configuration holds it. */
const SPOKEN = 'hunter2-Xq81zPw';
const CONFIGURED = 'Zq7canary0urs8mW';

describe.each(anyDatabase)('the traces of incidents, on $name', ({ name: database }) => {
  const scratch = scratchDirectory();
  let collector: Collector;
  let script: Script;
  let pages: Pages;
  let supervisor: CountingSupervisor;
  let notes: NotingServer;
  let files: DriftingFiles;
  let nightshift: TestNightshift;
  const embedder = new LLMock({ port: 0 });
  const trips = new Set<string>();

  beforeAll(async () => {
    files = driftingFiles();
    await embedder.start();
    [collector, script, pages, supervisor, notes] = await Promise.all([
      startCollector(),
      startScript('openai'),
      startPages(),
      startCountingSupervisor(),
      startNotingServer(),
    ]);
    const model = { provider: 'openai', apiKey: CONFIGURED, baseUrl: script.baseUrl, timeoutSeconds: 5 };
    const foreign = {
      notes: { uses: 'mcp', url: notes.url, tools: { count: { risk: 'read' } } },
      files: { uses: 'mcp', command: files.command, args: files.args, tools: { list_directory: { risk: 'read' } } },
    };
    const pins = await pinForeign(scratch.path, foreign);
    nightshift = await startNightshift({
      database,
      runbooks: { 'worker.md': RUNBOOK },
      failpoint: (name) => {
        if (trips.delete(name)) throw new Error('the look was lost');
      },
      env: { OTEL_SERVICE_NAME: 'nightshift-test', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test' },
      config: {
        tracing: { endpoint: collector.url, headers: { Authorization: 'Basic b3RlbDp0cmFjZXM=' }, content: true },
        models: [
          { ...model, name: 'away', model: 'model-that-is-away' },
          { ...model, name: 'worker', model: 'model-that-works', price: { input: 2, output: 10 } },
        ],
        embeddings: { provider: 'openai', model: 'embedder', baseUrl: `${embedder.url}/v1` },
        investigation: { steps: 0, critiqueRounds: 1 },
        judge: { share: 1 },
        routing: { plan: { models: ['worker'] }, critique: { models: ['worker'] } },
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          processes: { uses: 'supervisor', url: supervisor.url },
          notes: { ...foreign.notes, pins },
          files: { ...foreign.files, pins },
        },
      },
    });
    await eventually('its vectors serve', async () =>
      nightshift.log().find(({ message }) => /its vectors serve now/.test(String(message))),
    );
  });
  afterAll(async () => {
    await nightshift?.stop();
    await script?.stop();
    await embedder.stop();
    pages?.stop();
    supervisor?.stop();
    notes?.stop();
    files?.remove();
    collector?.stop();
    scratch.remove();
  });

  const labelsOf = (process: string) => ({
    ...{ alertname: 'WorkerStuck', instance: pages.instance, process, service: process, folder: files.folder },
  });
  const says = async (process: string, status: 'firing' | 'resolved', times = 1): Promise<number> => {
    const { body } = await nightshift.deliver([
      alert(labelsOf(process), {
        status,
        annotations: { summary: `jobs pile up; DB_PASSWORD=${SPOKEN} and ${CONFIGURED} were seen` },
        fingerprint: Buffer.from(process).toString('hex'),
        startsAt: `2026-11-01T1${times}:00:00.000Z`,
        ...(status === 'resolved' ? { endsAt: new Date().toISOString() } : {}),
      }),
    ]);
    return (body.incidents as number[])[0] as number;
  };
  /** Gives an incident that a model had mended, and that is over. */
  const heal = async (process: string): Promise<number> => {
    script.fail({ tag: process, role: 'diagnose', model: 'model-that-is-away' }, (response) =>
      response.writeHead(503).end(),
    );
    script.say(
      { tag: process, role: 'plan' },
      { content: 'So be it.', toolCalls: [proposal('supervisor.restart', { process })] },
    );
    pages.ill.add(process);
    const well = setInterval(() => supervisor.started.includes(process) && pages.ill.delete(process), 10);
    const id = await says(process, 'firing');
    await nightshift.until(id, ({ events }) => events.some(({ type }) => type === 'verification.passed'));
    clearInterval(well);
    await says(process, 'resolved');
    await nightshift.until(id, 'resolved');
    return id;
  };
  const traceIdOf = async (id: number) => ((await nightshift.incident(id)) as unknown as { traceId: string }).traceId;
  const spansOf = (traceId: string) => collector.spans.filter((span) => span.traceId === traceId);
  const rootsOf = (traceId: string) => spansOf(traceId).filter(({ parentSpanId }) => parentSpanId === '');
  const whole = (traceId: string, roots = 1) =>
    eventually('the trace to be whole', async () => (rootsOf(traceId).length === roots ? spansOf(traceId) : undefined));

  it('are one tree each: the incident, its stages, and below them what models and tools were asked', async () => {
    const id = await heal('first');
    const traceId = await traceIdOf(id);
    await eventually('the judge', async () => spansOf(traceId).find(({ name }) => name === 'judge'));
    const spans = await whole(traceId);
    const [root] = rootsOf(traceId) as [Seen];
    expect(root).toMatchObject({ name: 'incident', kind: 'internal', status: { code: 'unset' } });
    expect(root.attributes).toEqual({
      'nightshift.incident': `INC-${id}`,
      'nightshift.cycle': 1,
      'nightshift.attempt': 1,
      'nightshift.title': expect.stringContaining('WorkerStuck'),
      'nightshift.severity': 'critical',
      'nightshift.service': 'first',
      'nightshift.state': 'resolved',
    });
    expect(root.resource).toMatchObject({
      'service.name': 'nightshift-test',
      'deployment.environment.name': 'test',
      'service.instance.id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });

    // Every span has its place: ids are given once, and parents are there.
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const parentOf = (span: Seen) => byId.get(span.parentSpanId);
    for (const span of spans) {
      if (span !== root) expect(parentOf(span), span.name).toBeDefined();
      expect(span.to >= span.from, span.name).toBe(true);
    }
    const below = spans.filter((span) => parentOf(span) === root);
    expect(new Set(below.map(({ name }) => name.replace(/ .*/, '')))).toEqual(new Set(['stage', 'judge']));
    const stages = spans.filter(({ name }) => name.startsWith('stage '));
    expect(stages.every((span) => parentOf(span) === root)).toBe(true);
    const way = stages.filter(
      ({ attributes }) => attributes['nightshift.stage'] !== attributes['nightshift.next_stage'],
    );
    expect(way.map(({ name }) => name)).toEqual([
      ...['stage received', 'stage triaged', 'stage investigated', 'stage diagnosed', 'stage planned', 'stage acting'],
      'stage verifying',
    ]);
    expect(way[0]?.attributes).toEqual({
      'nightshift.incident': `INC-${id}`,
      'nightshift.cycle': 1,
      'nightshift.attempt': 0,
      'nightshift.stage': 'received',
      'nightshift.next_stage': 'triaged',
      'nightshift.outcome': 'landed',
    });
    const others = spans.filter((span) => span !== root && !below.includes(span));
    expect(others.every((span) => span.kind === 'client')).toBe(true);
    const pairs = new Set(others.map((span) => `${parentOf(span)?.name} > ${span.name}`));
    for (const pair of [
      'stage triaged > embeddings embedder',
      'stage investigated > chat model-that-is-away',
      'stage diagnosed > chat model-that-works',
      'stage acting > tools/call supervisor.restart',
      'stage verifying > tools/call http.probe',
      'stage verifying > tools/call notes.count',
      'stage verifying > tools/call files.list_directory',
      'judge > chat model-that-is-away',
    ])
      expect([...pairs]).toContain(pair);
  });

  it('name what was asked of whom by the conventions for generative AI and MCP', async () => {
    const traceId = await traceIdOf(await heal('second'));
    const spans = await whole(traceId);
    const diagnose = spans.find(({ attributes }) => attributes['nightshift.role'] === 'diagnose');
    expect(diagnose).toMatchObject({ name: 'chat model-that-is-away', status: { code: 'unset' } });
    expect(diagnose?.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'model-that-is-away',
      'gen_ai.request.max_tokens': expect.any(Number),
      'gen_ai.output.type': 'json',
      'gen_ai.response.model': 'model-that-works',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': expect.any(Number),
      'gen_ai.usage.output_tokens': expect.any(Number),
      'nightshift.model': 'worker',
      'nightshift.cost_usd': expect.any(Number),
      'nightshift.failed_over': [expect.stringMatching(/^away: HTTP 503/)],
      'nightshift.prompts': expect.arrayContaining([expect.stringMatching(/^diagnose@\d+$/)]),
    });
    const system = JSON.parse(String(diagnose?.attributes['gen_ai.system_instructions'])) as { content: string }[];
    expect(system[0]?.content).toContain('You are the on-call site reliability engineer');
    expect(JSON.parse(String(diagnose?.attributes['gen_ai.input.messages']))).toMatchObject([
      { role: 'user', parts: [{ type: 'text', content: expect.stringContaining('jobs pile up') }] },
    ]);
    expect(JSON.parse(String(diagnose?.attributes['gen_ai.output.messages']))).toMatchObject([
      {
        role: 'assistant',
        finish_reason: 'stop',
        parts: [{ type: 'text', content: expect.stringContaining('poison') }],
      },
    ]);
    const plan = spans.find(({ attributes }) => attributes['nightshift.role'] === 'plan');
    expect(plan?.attributes['gen_ai.response.finish_reasons']).toEqual(['tool_call']);
    expect(JSON.stringify(plan?.attributes['gen_ai.output.messages'])).toContain('supervisor');

    const restarts = spans.filter(({ name }) => name === 'tools/call supervisor.restart');
    const [restart] = restarts.filter(({ attributes }) => attributes['nightshift.inspection'] === undefined);
    expect(restarts.length).toBeGreaterThan(1);
    expect(restart).toMatchObject({ kind: 'client', status: { code: 'unset' } });
    expect(restart?.attributes).toEqual({
      'mcp.method.name': 'tools/call',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'supervisor.restart',
      'gen_ai.tool.call.arguments': '{"process":"second"}',
      'gen_ai.tool.call.result': expect.stringContaining('{'),
      'network.transport': 'pipe',
      'nightshift.toolset': 'processes',
      'nightshift.target': 'processes:process second',
      'nightshift.risk': 'safe',
      'nightshift.outcome': 'succeeded',
    });
    expect(collector.headers.every(({ authorization }) => authorization === 'Basic b3RlbDp0cmFjZXM=')).toBe(true);
  });

  it('reach into MCP servers that others wrote, as a program and over HTTP', async () => {
    const traceId = await traceIdOf(await heal('third'));
    const spans = await whole(traceId);
    const traceparents = (tool: string) =>
      spans.flatMap(({ name, spanId }) => (name === `tools/call ${tool}` ? [`00-${traceId}-${spanId}-01`] : []));
    const counted = notes.calls.filter(({ meta }) => String(meta).includes(traceId));
    expect(counted.map(({ meta }) => meta)).toEqual(traceparents('notes.count'));
    expect(counted.map(({ header }) => header)).toEqual(traceparents('notes.count'));
    const listed = readFileSync(`${files.args[1]}.calls`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { _meta: { traceparent: string } })._meta.traceparent);
    expect(listed.filter((one) => one.includes(traceId))).toEqual(traceparents('files.list_directory'));
  });

  it('hold no secret, whatever was asked and answered', async () => {
    const spans = await whole(await traceIdOf(await heal('sixth')));
    expect(spans.length).toBeGreaterThan(20);
    const sent = Buffer.concat(collector.bodies).toString('latin1');
    expect(sent).toContain('DB_PASSWORD=[redacted:');
    expectNothingOf(SPOKEN, sent, 'what stood in an annotation');
    expectNothingOf(CONFIGURED, sent, 'what the configuration holds');
  });

  it('have one more root for each time that an incident fires again', async () => {
    const id = await heal('fourth');
    const traceId = await traceIdOf(id);
    await whole(traceId);
    await says('fourth', 'firing', 2);
    await nightshift.until(id, ({ cycle }) => cycle === 2);
    await nightshift.api(`/incidents/${id}/words`, { word: 'stop' });
    await nightshift.until(id, 'stopped');
    const spans = await whole(traceId, 2);
    const [first, second] = rootsOf(traceId).toSorted((a, b) => Number(a.from - b.from)) as [Seen, Seen];
    expect(second.attributes).toMatchObject({ 'nightshift.cycle': 2, 'nightshift.state': 'stopped' });
    expect(second.from >= first.to).toBe(true);
    expect(second.spanId).not.toBe(first.spanId);
    const again = spans.filter(({ attributes, name }) => name !== 'incident' && attributes['nightshift.cycle'] === 2);
    expect(again.length).toBeGreaterThan(0);
    expect(again.every(({ parentSpanId }) => parentSpanId === second.spanId)).toBe(true);
  });

  it('say what failed', async () => {
    trips.add('verify.after-look');
    const id = await says('missing-fifth', 'firing');
    await nightshift.until(id, 'escalated');
    const traceId = await traceIdOf(id);
    const [call, stage] = await eventually('what failed', async () => {
      const failed = spansOf(traceId).filter(({ status }) => status.code === 'error');
      const both = ['tools/call supervisor.status', 'stage verifying'].map((name) =>
        failed.find((span) => span.name === name),
      );
      return both.includes(undefined) ? undefined : both;
    });
    expect(call?.attributes).toMatchObject({ 'error.type': 'tool_error', 'nightshift.outcome': 'failed' });
    expect(call?.status.message).toContain('supervisord has no process missing-fifth');
    expect(stage?.attributes).toMatchObject({ 'error.type': 'Error', 'nightshift.next_stage': 'verifying' });
    expect(stage?.status.message).toBe('the look was lost');
    expect(rootsOf(traceId)).toEqual([]);
  });

  it('go on where an assistant began one', async () => {
    const token = readFileSync(nightshift.app.adminTokenFile, 'utf8').trim();
    const ask = async (headers: Record<string, string>, meta: Record<string, unknown>, args: object) => {
      const client = new Client({ name: 'test', version: '1' });
      const requestInit = { headers: { authorization: `Bearer ${token}`, ...headers } };
      await client.connect(
        new StreamableHTTPClientTransport(new URL('/mcp', nightshift.app.url), { requestInit }) as never,
      );
      await client.callTool({ name: 'search_runbooks', arguments: { ...args }, _meta: meta });
      await client.close();
    };
    const [inMeta, inHeader, unsampled] = ['a1', 'b2', 'c3'].map((byte) => byte.repeat(16)) as [string, string, string];
    const parent = 'd4'.repeat(8);
    await ask({}, { traceparent: `00-${unsampled}-${parent}-00` }, { query: 'worker' });
    await ask({ traceparent: `00-${inHeader}-${parent}-01` }, {}, { query: 'worker' });
    await ask({}, { traceparent: `00-${inMeta}-${parent}-01` }, { query: 'worker' });
    const served = (traceId: string) => spansOf(traceId).find(({ kind }) => kind === 'server');
    const seen = await eventually('the span', async () => served(inMeta));
    expect(seen).toMatchObject({ name: 'tools/call search_runbooks', kind: 'server', parentSpanId: parent });
    expect(seen.attributes).toMatchObject({
      'mcp.method.name': 'tools/call',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'search_runbooks',
      'mcp.session.id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    // What it takes to answer is below it.
    expect(spansOf(inMeta).find(({ name }) => name === 'embeddings embedder')?.parentSpanId).toBe(seen.spanId);
    expect(served(inHeader)?.parentSpanId).toBe(parent);
    expect(spansOf(unsampled)).toEqual([]);
  });
});
