import type { NextFunction, Request, Response } from 'express';
import { databaseTrouble } from '../database/index.ts';
import { type ErrorCode, messageOf, NightshiftError, problemDocument } from '../errors.ts';
import { type Logger, redactValue } from '../telemetry/index.ts';
import { API_ROOT } from './operation.ts';
import { OPERATIONS } from './operations/index.ts';

/** Makes the error handler: every failure becomes problem+json with a code, a sentence and the fields, never a stack trace or a secret. See RFC 9457. */
export function problemHandler(log: Logger) {
  return (error: unknown, request: Request, response: Response, next: NextFunction): void => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const known = toKnown(error);
    if (known.status >= 500) log.error({ error, code: known.code, path: request.path }, 'request failed');
    const seconds = known.code === 'idempotency_key_in_use' ? '1' : { 429: '60', 503: '5' }[known.status];
    const retry = seconds === undefined ? {} : { 'retry-after': seconds };
    // Whoever knows more has said it already.
    if (known.status === 401 && !response.hasHeader('www-authenticate'))
      response.set('www-authenticate', 'Bearer realm="nightshift"');
    response
      .status(known.status)
      .set(retry)
      .type('application/problem+json')
      .send(JSON.stringify(redactValue(problemDocument(known))));
  };
}

/** Refuses what no route has answered: with what else may be asked at that address, or because there is nothing. @throws NightshiftError always. */
export function refuseUnknown(request: Request, response: Response): never {
  const { method, baseUrl } = request;
  const [path = ''] = request.originalUrl.split('?');
  const here = OPERATIONS.filter(({ root, path: known }) => pathMatcher((root ? '' : API_ROOT) + known).test(path));
  if (here.length === 0) throw new NightshiftError('not_found', `there is no ${method} ${baseUrl}${request.path}`);
  const methods = [...new Set(here.map((one) => one.method.toUpperCase()))];
  response.set('allow', methods.join(', '));
  const message = `${method} is not possible here`;
  const fix = `use ${methods.join(' or ')}`;
  throw new NightshiftError('method_not_allowed', `${message}. Fix: ${fix}`, {
    problems: [{ field: 'method', message, fix }],
  });
}

/** Makes what recognises the addresses of an operation's path. */
function pathMatcher(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`, 'i');
}

/** Maps whatever was thrown to our own family: body errors of express are the sender's, a lost database is a 503, the rest is ours. */
export function toKnown(error: unknown): NightshiftError {
  if (error instanceof NightshiftError) return error;
  const { type, status, limit } = (error ?? {}) as { type?: string; status?: number; limit?: number };
  const make = (kind: ErrorCode, message: string, fix: string, field = 'body') =>
    new NightshiftError(kind, `${field}: ${message}. Fix: ${fix}`, {
      cause: error,
      problems: [{ field, message, fix }],
    });
  if (type === 'entity.too.large')
    return make(
      'payload_too_large',
      `is larger than the ${(limit ?? 0) / 1024} KiB that are taken here`,
      'send less at once',
    );
  if (type === 'entity.parse.failed') return make('invalid_payload', `is not JSON: ${messageOf(error)}`, 'send JSON');
  if (type === 'encoding.unsupported' || type === 'charset.unsupported')
    return make('invalid_payload', messageOf(error), 'send plain UTF-8');
  // By the router, for a part of the address.
  if (error instanceof URIError || /^Failed to decode param/.test(messageOf(error)))
    return make('invalid_payload', messageOf(error), 'encode it as UTF-8', 'path');
  if (typeof status === 'number' && status >= 400 && status < 500)
    return make('invalid_payload', messageOf(error), 'send the whole body');
  const trouble = databaseTrouble(error);
  if (trouble) return trouble;
  return new NightshiftError('internal', 'Nightshift failed to answer this; its log has the details', { cause: error });
}
