import { type DestinationStream, type Logger, pino } from 'pino';
import { NightshiftError } from '../errors.ts';
import { currentIds } from './correlation.ts';
import { redact, redactValue } from './redact-shared.ts';

export type { Logger } from 'pino';

/**
 * Makes the logger: one JSON object a line on standard output, with the incident and trace ids of whatever is being done.
 * No line leaves with a secret in it, wherever in the line it stands.
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['clearance', '*.clearance'], censor: '[redacted]' },
      hooks: { streamWrite: withoutSecrets },
      mixin: currentIds,
      serializers: {
        error: (error: unknown) => {
          if (!(error instanceof Error)) return error;
          const { message, stack } = error;
          const { code } = error as NodeJS.ErrnoException;
          // What an operator can mend says how; where in our code it was noticed helps nobody.
          const isPlain = error instanceof NightshiftError && error.audience !== 'developer';
          return isPlain ? { message, code } : { message, code, stack };
        },
      },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}

/** On the finished line, because only there is everything together: bindings, what was mixed in, errors and the message. */
function withoutSecrets(line: string): string {
  try {
    return `${JSON.stringify(redactValue(JSON.parse(line)))}\n`;
  } catch {
    return `${redact(line.trimEnd())}\n`;
  }
}
