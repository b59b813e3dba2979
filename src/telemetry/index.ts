/** Logs with incident and trace ids, metrics, and what takes secrets out of everything that leaves or is kept. Never writes a secret. */
export { createLogger, type Logger, newTraceId, withCorrelation } from './log.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { createRedactor, type Redactor } from './redact.ts';
export { secretsOf } from './redact-configured.ts';
export { redact, redactValue, setSecrets } from './redact-shared.ts';
