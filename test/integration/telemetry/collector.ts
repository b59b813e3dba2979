/** What takes spans over OTLP, and reads them by the protobuf that OpenTelemetry publishes, not by the code that wrote them. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import protobuf from 'protobufjs';
import { listen } from '../support/doubles.ts';

const require = createRequire(import.meta.url);
const PROTOS = join(require.resolve('@elastic/mockotlpserver/package.json'), '..');
const root = new protobuf.Root();
root.resolvePath = (_importing, path) => join(PROTOS, path);
const ExportTraceServiceRequest = root
  .loadSync('opentelemetry/proto/collector/trace/v1/trace_service.proto')
  .lookupType('opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest');

/** A span as it came over the wire. */
export interface Seen {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly status: { readonly code: string; readonly message: string };
}

export interface Collector {
  readonly url: string;
  readonly spans: Seen[];
  /** All that came, as it came. */
  readonly bodies: Buffer[];
  readonly headers: IncomingHttpHeaders[];
  /** How it answers: at once, with an error, or never. */
  mode: 'takes' | 'refuses' | 'hangs';
  stop(): void;
}

/** Starts a collector on a free loopback port. */
export async function startCollector(): Promise<Collector> {
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    collector.headers.push(request.headers);
    collector.bodies.push(body);
    if (collector.mode === 'hangs') return;
    if (collector.mode === 'refuses') return response.writeHead(403).end();
    if (request.method !== 'POST' || request.url !== '/v1/traces') return response.writeHead(404).end();
    collector.spans.push(...decode(body));
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  const host = await listen(server);
  const collector: Collector = {
    url: `http://${host}/v1/traces`,
    spans: [],
    bodies: [],
    headers: [],
    mode: 'takes',
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  return collector;
}

interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}
interface AnyValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values: readonly AnyValue[] };
}
interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}
interface WireSpan {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array;
  readonly name: string;
  readonly kind: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly status?: { readonly code: string; readonly message: string };
}

function decode(body: Buffer): Seen[] {
  const message = ExportTraceServiceRequest.decode(body);
  refuseUnknown(message);
  const { resourceSpans } = ExportTraceServiceRequest.toObject(message, {
    ...{ longs: String, enums: String, defaults: true },
  }) as Request;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => seen(span, valuesOf(resource.attributes)))),
  );
}

/** What is not in the published protobuf would otherwise be passed over without a word. */
function refuseUnknown(message: object): void {
  if ('$unknowns' in message) throw new Error(`fields of an unknown number in ${message.constructor.name}`);
  for (const value of Object.values(message))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== null && typeof one === 'object' && !(one instanceof Uint8Array)) refuseUnknown(one);
}

function seen({ attributes, status, ...span }: WireSpan, resource: Record<string, unknown>): Seen {
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: hex(span.parentSpanId),
    name: span.name,
    kind: span.kind.replace('SPAN_KIND_', '').toLowerCase(),
    from: BigInt(span.startTimeUnixNano),
    to: BigInt(span.endTimeUnixNano),
    attributes: valuesOf(attributes),
    resource,
    status: { code: (status?.code ?? '').replace('STATUS_CODE_', '').toLowerCase(), message: status?.message ?? '' },
  };
}

function valuesOf(pairs: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plainOf(value)]));
}

function plainOf({ stringValue, boolValue, intValue, doubleValue, arrayValue }: AnyValue): unknown {
  if (arrayValue) return arrayValue.values.map(plainOf);
  return stringValue ?? boolValue ?? doubleValue ?? Number(intValue);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
