import type { NextFunction, Request, Response } from 'express';
import { type ErrorCode, messageOf, NightshiftError } from '../errors.ts';
import { type Logger, redactValue } from '../telemetry/index.ts';

/** Makes the error handler: every failure becomes problem+json with a code, a sentence and the fields, never a stack trace or a secret. See RFC 9457. */
export function problemHandler(log: Logger) {
  return (error: unknown, request: Request, response: Response, next: NextFunction): void => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const known = toKnown(error);
    if (known.status >= 500) log.error({ error, code: known.code, path: request.path }, 'request failed');
    const retry = known.status === 503 ? { 'retry-after': '5' } : {};
    const title = known.code.replaceAll('_', ' ');
    response
      .status(known.status)
      .set(retry)
      .type('application/problem+json')
      .send(
        JSON.stringify(
          redactValue({
            type: `urn:nightshift:error:${known.code}`,
            title,
            status: known.status,
            code: known.code,
            detail: known.message,
            ...(known.problems.length > 0 ? { problems: known.problems } : {}),
          }),
        ),
      );
  };
}

/** Maps whatever was thrown to our own family: body errors of express are the sender's, a lost database is a 503, the rest is ours. */
function toKnown(error: unknown): NightshiftError {
  if (error instanceof NightshiftError) return error;
  const { type, status, code } = (error ?? {}) as { type?: string; status?: number; code?: string };
  const make = (kind: ErrorCode, message: string, fix: string, field = 'body') =>
    new NightshiftError(kind, `${field}: ${message}. Fix: ${fix}`, {
      cause: error,
      problems: [{ field, message, fix }],
    });
  if (type === 'entity.too.large')
    return make(
      'payload_too_large',
      'is larger than this endpoint takes (webhooks 4 MiB, API 64 KiB)',
      'send fewer alerts at once: lower max_alerts in webhook_config, or group them more finely',
    );
  if (type === 'entity.parse.failed') return make('invalid_payload', `is not JSON: ${messageOf(error)}`, 'send JSON');
  if (type === 'encoding.unsupported' || type === 'charset.unsupported')
    return make('invalid_payload', messageOf(error), 'send plain UTF-8');
  if (typeof status === 'number' && status >= 400 && status < 500)
    return make('invalid_payload', messageOf(error), 'send the whole body');
  if (code === '22021' || code === '22P05')
    return make('invalid_payload', 'holds a character that cannot be stored', 'leave out NUL characters');
  if (isDatabaseTrouble(code, messageOf(error)))
    return new NightshiftError(
      'database_unavailable',
      'the database does not answer, so nothing was accepted; send it again',
      { cause: error },
    );
  return new NightshiftError('internal', 'Nightshift failed to answer this; its log has the details', { cause: error });
}

/** Connection trouble, lost races, and the classes 08, 53, 57 (connection, resources, shutdown) of Postgres's error codes. */
function isDatabaseTrouble(code: string | undefined, message: string): boolean {
  if (code !== undefined && /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|08|40001|40P01|53|57)/.test(code)) return true;
  return /Connection terminated|connection timeout|timeout exceeded when trying to connect|PGlite (instance )?is (already )?closed|driver has already been destroyed/i.test(
    message,
  );
}
