/** Logs with incident and trace ids, metrics, and what takes secrets out of everything that leaves or is kept. Never writes a secret. */
export { createLogger, type Logger, newTraceId, withCorrelation } from './log.ts';
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
