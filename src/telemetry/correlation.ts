import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import type { Span } from './span.ts';

interface Correlation {
  readonly incident?: string;
  readonly trace?: string;
}

interface Current extends Correlation {
  readonly span?: Span;
}

const current = new AsyncLocalStorage<Current>();

/** Runs a function so that every log line written inside it carries the incident's and the trace's id. */
export function withCorrelation<T>(ids: Correlation, run: () => T): T {
  return current.run({ ...current.getStore(), ...ids }, run);
}

/** Runs a function within a span: log lines inside it carry its id, and what is done inside it is part of it. */
export function withinSpan<T>(span: Span, run: () => T): T {
  return current.run({ ...current.getStore(), span }, run);
}

/** Gives the span of whatever is being done, or undefined where nothing is traced. */
export function currentSpan(): Span | undefined {
  return current.getStore()?.span;
}

/** Gives what a log line says of whatever is being done. */
export function currentIds(): Record<string, string | undefined> {
  const { span, ...ids } = current.getStore() ?? {};
  return span ? { ...ids, trace: span.traceId, span: span.id } : ids;
}

/** Makes a W3C trace id: 16 random bytes in hexadecimal. See https://www.w3.org/TR/trace-context/#trace-id */
export function newTraceId(): string {
  return randomBytes(16).toString('hex');
}
