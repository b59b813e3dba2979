/** A collector that is away, hangs or refuses costs spans and nothing else; and where nothing is traced, nothing of it is loaded. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TracingConfig } from '../../../src/config/index.ts';
import {
  createLogger,
  createTracer,
  inSpan,
  newTraceId,
  setSecrets,
  type Tracer,
  withSpan,
} from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { expectNothingOf } from '../../unit/telemetry/encodings.ts';
import { SAMPLES } from '../../unit/telemetry/secret-samples.ts';
import { startCountingSupervisor, startPages } from '../support/doubles.ts';
import { alert, startNightshift } from '../support/nightshift.ts';
import { type Collector, startCollector } from './collector.ts';

const PARENT = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) };
const lines: string[] = [];
const log = createLogger('debug', { write: (line) => void lines.push(line) });
const said = (words: string) => lines.filter((line) => line.includes(words));

let collector: Collector;
beforeEach(async () => {
  lines.length = 0;
  collector = await startCollector();
});
afterEach(() => collector.stop());

const open = (change: Partial<TracingConfig> = {}): Promise<Tracer> =>
  createTracer({ endpoint: collector.url, headers: {}, content: false, sampleRatio: 1, resource: {}, ...change }, log);
const one = (tracer: Tracer, name = 'a span') => tracer.start(name, PARENT).end();

describe('spans', () => {
  it('are sent when there is time, and the rest at the end', async () => {
    const tracer = await open();
    one(tracer, 'first');
    await eventually('the first', async () => collector.spans[0]);
    one(tracer, 'second');
    await tracer.stop();
    expect(collector.spans.map(({ name }) => name)).toEqual(['first', 'second']);
    expect(lines).toEqual([expect.stringContaining('traces are exported')]);
  });

  it('are not taken: it is said once, and once when they are again', async () => {
    const tracer = await open();
    collector.mode = 'refuses';
    for (const times of [1, 2]) {
      one(tracer);
      await eventually('it is refused', async () => (collector.headers.length >= times ? true : undefined));
    }
    await eventually('it is said', async () => said('spans are not taken')[0]);
    collector.mode = 'takes';
    one(tracer, 'taken');
    await eventually('it is taken', async () => said('spans are taken again')[0]);
    await tracer.stop();
    expect(said('spans are not taken')).toHaveLength(1);
    expect(said('spans are taken again')).toHaveLength(1);
    expect(collector.spans.map(({ name }) => name)).toEqual(['taken']);
  });

  it('are dropped when too many wait, and the end does not wait for what hangs', async () => {
    const tracer = await open();
    collector.mode = 'hangs';
    for (let count = 0; count < 20_000; count += 1) one(tracer);
    await eventually('a request hangs', async () => collector.headers[0]);
    collector.mode = 'takes';
    const began = performance.now();
    await tracer.stop();
    // That request may take five seconds.
    expect(performance.now() - began).toBeLessThan(4000);
    const taken = await eventually('all that waited is taken', async () => {
      const { length } = collector.spans;
      await sleep(1000);
      return length > 1000 && length === collector.spans.length ? length : undefined;
    });
    expect(taken).toBeLessThan(2500);
  });

  it('are chosen by the id of their trace, so that every replica chooses alike', async () => {
    const [one, other] = await Promise.all([open({ sampleRatio: 0.5 }), open({ sampleRatio: 0.5 })]);
    const traceIds = Array.from({ length: 200 }, newTraceId);
    const flags = (tracer: Tracer) =>
      traceIds.map((traceId) => {
        const span = tracer.start('stage', { traceId, spanId: PARENT.spanId });
        span.end();
        tracer.record('incident', { traceId, spanId: PARENT.spanId, from: new Date(), to: new Date() });
        return span.traceparent.endsWith('-01');
      });
    const chosen = flags(one);
    expect(flags(other)).toEqual(chosen);
    await Promise.all([one.stop(), other.stop()]);
    const expected = traceIds.filter((_, index) => chosen[index]);
    expect(expected.length).toBeGreaterThan(50);
    expect(expected.length).toBeLessThan(150);
    for (const name of ['stage', 'incident'])
      expect(new Set(collector.spans.flatMap((span) => (span.name === name ? [span.traceId] : [])))).toEqual(
        new Set(expected),
      );
  });

  it('hold what people and models wrote only where the operator wants it', async () => {
    for (const content of [false, true]) {
      const tracer = await open({ content });
      let asked = false;
      await inSpan(tracer.start('chat', PARENT), async (span) =>
        span.setContent(() => {
          asked = true;
          return { 'gen_ai.input.messages': [{ role: 'user', parts: [] }] };
        }),
      );
      await tracer.stop();
      expect(asked).toBe(content);
    }
    expect(collector.spans.map(({ attributes }) => attributes)).toEqual([
      {},
      { 'gen_ai.input.messages': '[{"role":"user","parts":[]}]' },
    ]);
  });

  it('hold no secret, wherever it stands', async () => {
    setSecrets(['Zq7-canary/of+0urs']);
    const tracer = await open({ content: true });
    const kinds = [
      ...SAMPLES,
      { kind: 'configured', line: 'saw Zq7-canary/of+0urs here', secret: 'Zq7-canary/of+0urs' },
    ];
    for (const { line } of kinds) {
      const failing = inSpan(
        tracer.start(`about ${line}`, PARENT, { attributes: { at: line, list: [line] } }),
        async () => {
          await withSpan('below', {}, async (span) => {
            span.rename(line);
            span.set({ later: line });
            span.setContent(() => ({ text: line, deep: [{ parts: [{ content: line }] }] }));
            throw new Error(line);
          });
        },
      );
      await failing.catch(() => {});
      tracer.record(line, { ...PARENT, from: new Date(), to: new Date(), attributes: { at: line } });
    }
    await tracer.stop();
    setSecrets([]);
    expect(collector.spans).toHaveLength(3 * kinds.length);
    const sent = Buffer.concat(collector.bodies).toString('utf8');
    for (const { kind, secret } of kinds) expectNothingOf(secret, sent, kind);
  });
});

describe.each(anyDatabase)('an incident, on $name', ({ name: database }) => {
  it.each(['takes', 'refuses', 'hangs', 'away'] as const)(
    'is mended all the same where a collector %s',
    async (mode) => {
      const [pages, supervisor] = await Promise.all([startPages(), startCountingSupervisor()]);
      if (mode === 'away') collector.stop();
      else collector.mode = mode;
      const nightshift = await startNightshift({
        database,
        env: { OTEL_EXPORTER_OTLP_ENDPOINT: new URL(collector.url).origin },
        runbooks: {
          'worker.md':
            '---\nmatch: [\'alertname="WorkerStuck"\']\nsteps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]\n' +
            'verify: [{ tool: http.probe, with: { url: "http://{{ labels.instance }}/shop" }, expect: status == 200, within: 5s }]\n---\n# It is stuck\nRestart it.\n',
        },
        config: {
          toolsets: {
            web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
            processes: { uses: 'supervisor', url: supervisor.url },
          },
        },
      });
      pages.ill.add('shop');
      supervisor.onStart = () => pages.ill.delete('shop');
      const labels = { alertname: 'WorkerStuck', instance: pages.instance, process: 'shop' };
      const { body } = await nightshift.deliver([alert(labels)]);
      const [id] = body.incidents as [number];
      await nightshift.until(id, ({ events }) => events.some(({ type }) => type === 'verification.passed'));
      const resolved = alert(labels, { status: 'resolved', endsAt: '2026-11-01T11:00:00.000Z' });
      await nightshift.deliver([resolved]);
      const over = await nightshift.until(id, 'resolved');
      expect(over.events.filter(({ type }) => type === 'stage.failed')).toEqual([]);
      if (mode === 'refuses' || mode === 'away')
        await eventually('it is said', async () =>
          nightshift.log().find(({ message }) => /spans are not taken/.test(String(message))),
        );
      const stopped = await nightshift.app.stop();
      expect(stopped).toEqual({ parked: true, unended: [] });
      const warnings = nightshift.log().filter(({ message }) => /spans are not taken/.test(String(message)));
      expect(warnings.length).toBeLessThanOrEqual(1);
      expect(collector.spans.some(({ name }) => name === 'incident')).toBe(mode === 'takes');
      await nightshift.stop();
      pages.stop();
      supervisor.stop();
    },
  );
});

/** In a process of its own, in which whatever is loaded of OpenTelemetry is noted; its API comes with the metrics in any case. */
const NOTING = `
import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  load(url, context, next) {
    const [, name] = /node_modules\\/(@opentelemetry\\/[^/]+)\\//.exec(url) ?? [];
    if (name && name !== '@opentelemetry/api') loaded.add(name);
    return next(url, context);
  },
});
const { startNightshift, alert } = await import('./test/integration/support/nightshift.ts');
const nightshift = await startNightshift({ database: 'embedded', env: JSON.parse(process.argv[1]) });
const { body } = await nightshift.deliver([alert({})]);
await nightshift.until(body.incidents[0], 'escalated');
await nightshift.stop();
console.log(JSON.stringify([...loaded].sort()));
process.exit(0);
`;

it.each([
  ['nothing where nothing is traced', {}, []],
  [
    'the SDK where an endpoint is configured',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' },
    expect.arrayContaining(['@opentelemetry/exporter-trace-otlp-proto', '@opentelemetry/sdk-trace']),
  ],
])('loads of OpenTelemetry %s', async (_, env, expected) => {
  const argv = ['--input-type=module-typescript', '-e', NOTING, JSON.stringify(env)];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd: join(import.meta.dirname, '../../..') });
  expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual(expected);
});
