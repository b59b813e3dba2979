/** Logs with incident and trace ids, metrics, traces, and what takes secrets out of everything that leaves or is kept. Never writes a secret. */
export { newTraceId, withCorrelation } from './correlation.ts';
export { createLogger, type Logger } from './log.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { type Placeholder, placeholdersIn } from './placeholders.ts';
export { createRedactor, isDistinctive, type Redactor } from './redact.ts';
export { secretsOf } from './redact-configured.ts';
export {
  addSecret,
  redact,
  redactForModel,
  redactValue,
  redactValueForModel,
  secretsIn,
  setPlaceholderKey,
  setSecrets,
} from './redact-shared.ts';
export { type Attributes, NO_TRACER, type Span, type Tracer } from './span.ts';
export { type Elsewhere, parseTraceparent, rootSpanId } from './traceparent.ts';
export { createTracer, currentTraceparent, failSpan, inSpan, withSpan } from './tracing.ts';
