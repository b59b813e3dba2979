import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

interface Correlation {
  readonly incident?: string;
  readonly trace?: string;
}

const correlation = new AsyncLocalStorage<Correlation>();

const SECRET_KEYS = ['token', 'password', 'apiKey', 'authorization', 'secret', 'clearance'];

/**
 * Makes the logger: one JSON object a line on standard output, with the incident and trace ids of whatever is being done.
 * Fields whose name says that they hold a secret are censored at the top two levels.
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
      mixin: () => ({ ...correlation.getStore() }),
      serializers: {
        error: (error: unknown) =>
          error instanceof Error
            ? { message: error.message, code: (error as NodeJS.ErrnoException).code, stack: error.stack }
            : error,
      },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}

/** Runs a function so that every log line written inside it carries the incident's and the trace's id. */
export function withCorrelation<T>(ids: Correlation, run: () => T): T {
  return correlation.run({ ...correlation.getStore(), ...ids }, run);
}

/** Makes a W3C trace id: 16 random bytes in hexadecimal. See https://www.w3.org/TR/trace-context/#trace-id */
export function newTraceId(): string {
  return randomBytes(16).toString('hex');
}
