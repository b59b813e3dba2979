/** What the rest of the house knows of traces: spans, and who makes them. */
import type { Elsewhere } from './traceparent.ts';

/** What is null or undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>;

export interface SpanOptions {
  /** `client`: somebody else is asked. `server`: somebody else asks. `internal` where it is left out. */
  readonly kind?: 'internal' | 'client' | 'server';
  readonly attributes?: Attributes;
}

/** A piece of work under way, as a trace shows it. Nothing that it is told leaves with a secret in it. */
export interface Span {
  readonly traceId: string;
  readonly id: string;
  /** For whoever goes on with it elsewhere. */
  readonly traceparent: string;
  rename(name: string): void;
  set(attributes: Attributes): void;
  /** Adds, as JSON, what people, models and tools wrote, where the operator wants that in traces; otherwise it is not even asked for. */
  setContent(content: () => Readonly<Record<string, unknown>>): void;
  /** Says that it failed, with a word for the kind of failure. */
  fail(type: string, message: string): void;
  child(name: string, options?: SpanOptions): Span;
  end(): void;
}

/** A span that is over, under the id that those below it were given before. */
export interface PastSpan extends SpanOptions {
  readonly traceId: string;
  readonly spanId: string;
  readonly from: Date;
  readonly to: Date;
}

export interface Tracer {
  /** Starts a span under one that is elsewhere, or, for null, a trace of its own. */
  start(name: string, parent: Elsewhere | null, options?: SpanOptions): Span;
  /** Records a span without a parent. */
  record(name: string, span: PastSpan): void;
  /** Sends what is left, within 1.5 s. Never throws. */
  stop(): Promise<void>;
}

/** Stands where nothing is traced. */
export const NO_SPAN: Span = {
  traceId: '',
  id: '',
  traceparent: '',
  rename: () => {},
  set: () => {},
  setContent: () => {},
  fail: () => {},
  child: () => NO_SPAN,
  end: () => {},
};

/** Makes no spans. */
export const NO_TRACER: Tracer = { start: () => NO_SPAN, record: () => {}, stop: async () => {} };
