/** The only file that knows OpenTelemetry's SDK. Loaded where traces are exported, and nowhere else. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Context,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  type IdGenerator,
  ParentBasedSampler,
  RandomIdGenerator,
  SamplingDecision,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TracingConfig } from '../config/index.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from './log.ts';
import { redact } from './redact-shared.ts';
import type { Attributes, PastSpan, Span, SpanOptions, Tracer } from './span.ts';
import { contentOf } from './span-content.ts';
import type { Elsewhere } from './traceparent.ts';

const EXPORT_MS_MAX = 5000;
const FLUSH_MS_MAX = 1500;
const DELAY_MS = 2000;
/** What is not exported yet; more is dropped, so that a collector that is away costs at most some tens of megabytes. */
const QUEUE_MAX = { plain: 2048, withContent: 512 };
/** With content a batch stays below the 4 MiB that most receivers take at once. */
const BATCH_MAX = { plain: 256, withContent: 32 };
const NAME_MAX = 200;
const TEXT_MAX = 4096;
const SUCCEEDED = 0;

const KINDS = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT, server: SpanKind.SERVER };

/**
 * Makes the tracer that exports spans over OTLP, in batches and beside the work: it never waits for a collector, repeats little, drops what
 * is too much, and says once in the log that a collector is away.
 */
export function createExportingTracer(
  { endpoint, headers, content, sampleRatio, resource }: TracingConfig,
  log: Logger,
): Tracer {
  const size = content ? 'withContent' : 'plain';
  const { host } = new URL(endpoint);
  log.info({ host, content, sampleRatio }, 'traces are exported');
  const exporter = watched(
    new OTLPTraceExporter({ url: endpoint, headers: { ...headers }, timeoutMillis: EXPORT_MS_MAX }),
    { host, log },
  );
  const ratio = new TraceIdRatioBasedSampler(sampleRatio);
  const ids = createIds();
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes({ 'service.instance.id': randomUUID(), ...resource })),
    // By the trace's id alone, so that every replica decides the same about an incident.
    sampler: new ParentBasedSampler({ root: ratio }),
    idGenerator: ids,
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        scheduledDelayMillis: DELAY_MS,
        exportTimeoutMillis: 2 * EXPORT_MS_MAX,
        maxQueueSize: QUEUE_MAX[size],
        maxExportBatchSize: BATCH_MAX[size],
      }),
    ],
  });
  const otel = provider.getTracer('nightshift');

  const begin = (name: string, context: Context, { kind = 'internal', attributes = {} }: SpanOptions, from?: Date) =>
    otel.startSpan(
      redact(name, NAME_MAX),
      { kind: KINDS[kind], attributes: clean(attributes), ...(from ? { startTime: from } : {}) },
      context,
    );
  const start = (name: string, context: Context, options: SpanOptions = {}): Span => {
    const span = begin(name, context, options);
    const { traceId, spanId, traceFlags } = span.spanContext();
    return {
      traceId,
      id: spanId,
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
      rename: (to) => void span.updateName(redact(to, NAME_MAX)),
      set: (more) => void span.setAttributes(clean(more)),
      setContent: (give) => {
        if (content && span.isRecording())
          for (const [key, value] of Object.entries(give())) addContent(span, key, value);
      },
      fail: (type, message) => {
        span.setAttribute('error.type', redact(type, NAME_MAX));
        span.setStatus({ code: SpanStatusCode.ERROR, message: redact(message, TEXT_MAX) });
      },
      child: (below, how) => start(below, trace.setSpan(ROOT_CONTEXT, span), how),
      end: () => span.end(),
    };
  };
  const contextOf = ({ traceId, spanId, isSampled }: Elsewhere): Context => {
    const decided = () => ratio.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;
    const traceFlags = (isSampled ?? decided()) ? TraceFlags.SAMPLED : TraceFlags.NONE;
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
  };

  return {
    start: (name, parent, options) => start(name, parent ? contextOf(parent) : ROOT_CONTEXT, options),
    record(name, { traceId, spanId, from, to, ...options }: PastSpan) {
      ids.next({ traceId, spanId }, () => begin(name, ROOT_CONTEXT, options, from)).end(to);
    },
    async stop() {
      // Nobody waits for one that is away.
      const sent = provider.shutdown().catch(() => {});
      if (!exporter.isAway()) await Promise.race([sent, sleep(FLUSH_MS_MAX, undefined, { ref: false })]);
    },
  };
}

function addContent(span: OtelSpan, key: string, value: unknown): void {
  if (value !== undefined && value !== null) span.setAttribute(key, contentOf(value));
}

function clean(attributes: Attributes): Record<string, string | number | boolean | string[]> {
  const cleaned: Record<string, string | number | boolean | string[]> = {};
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (typeof value === 'string') cleaned[key] = redact(value, TEXT_MAX);
    else cleaned[key] = typeof value === 'object' ? value.map((one) => redact(one, TEXT_MAX)) : value;
  }
  return cleaned;
}

/** Gives out random ids, and for one span those that it must have. */
function createIds(): IdGenerator & { next<T>(ids: { traceId: string; spanId: string }, run: () => T): T } {
  const random = new RandomIdGenerator();
  let given: { traceId: string; spanId: string } | null = null;
  return {
    generateTraceId: () => given?.traceId ?? random.generateTraceId(),
    generateSpanId: () => given?.spanId ?? random.generateSpanId(),
    next(ids, run) {
      given = ids;
      try {
        return run();
      } finally {
        given = null;
      }
    },
  };
}

/** Says once that spans do not get through, and once that they do again. */
function watched(
  exporter: SpanExporter,
  { host, log }: { host: string; log: Logger },
): SpanExporter & { isAway(): boolean } {
  let isAway = false;
  return {
    isAway: () => isAway,
    export(spans, done) {
      exporter.export(spans, (result) => {
        const failed = result.code !== SUCCEEDED;
        if (failed && !isAway) {
          const fix = 'check tracing.endpoint and tracing.headers, and that it takes OTLP over HTTP';
          log.warn({ host, error: messageOf(result.error), fix }, 'spans are not taken; those of this time are lost');
        } else if (!failed && isAway) log.info({ host }, 'spans are taken again');
        isAway = failed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
