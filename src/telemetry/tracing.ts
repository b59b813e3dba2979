import type { TracingConfig } from '../config/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { currentSpan, withinSpan } from './correlation.ts';
import type { Logger } from './log.ts';
import { NO_SPAN, NO_TRACER, type Span, type SpanOptions, type Tracer } from './span.ts';

/** Makes the tracer. What it takes to export spans is tens of megabytes, and is loaded only where an endpoint is configured. */
export async function createTracer(config: TracingConfig | null, log: Logger): Promise<Tracer> {
  if (config === null) return NO_TRACER;
  const { createExportingTracer } = await import('./export-spans.ts');
  return createExportingTracer(config, log);
}

/** Runs a function within a span and ends it afterwards; what it throws is the span's failure. @throws whatever it throws. */
export async function inSpan<T>(span: Span, run: (span: Span) => Promise<T>): Promise<T> {
  if (span === NO_SPAN) return run(span);
  try {
    return await withinSpan(span, () => run(span));
  } catch (error) {
    span.fail(typeOf(error), messageOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** Runs a function within a span below the current one; where nothing is traced, it just runs. @throws whatever it throws. */
export async function withSpan<T>(name: string, options: SpanOptions, run: (span: Span) => Promise<T>): Promise<T> {
  const parent = currentSpan();
  return inSpan(parent?.child(name, options) ?? NO_SPAN, run);
}

/** Says of the current span, where there is one, that it failed, though it went on. */
export function failSpan(error: unknown): void {
  currentSpan()?.fail(typeOf(error), messageOf(error));
}

/** Gives the current span as others must be told of it (W3C Trace Context), or undefined where nothing is traced. */
export function currentTraceparent(): string | undefined {
  return currentSpan()?.traceparent;
}

function typeOf(error: unknown): string {
  if (error instanceof NightshiftError) return error.code;
  return error instanceof Error ? error.name : typeof error;
}
