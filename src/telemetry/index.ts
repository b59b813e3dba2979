/** Logs with incident and trace ids, and metrics. Never writes a secret. */
export { createLogger, type Logger, newTraceId, withCorrelation } from './log.ts';
export { createMetrics, type Metrics } from './metrics.ts';
