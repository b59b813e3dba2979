/** Why one model failed, in our own words: never the key, never the prompt, never text that the other side wrote. */
import { ZodError } from 'zod';

/** How a call to one model ended, for the metrics. */
export type Outcome =
  | 'ok'
  | 'refused'
  | 'empty'
  | 'invalid'
  | 'timeout'
  | 'unreachable'
  | 'rejected'
  | 'limited'
  | 'unavailable'
  | 'failed'
  | 'aborted';

/** Those that say something about the endpoint, and nothing about what it was asked. */
const ENDPOINTS_FAULT: readonly Outcome[] = ['timeout', 'unreachable', 'limited', 'unavailable'];

/** One model's failure; `message` is the reason and can be shown to people. */
export class ModelFailure extends Error {
  readonly outcome: Outcome;
  /** Whether it counts against the endpoint; a time cut short by others does not. */
  readonly isEndpointsFault: boolean;

  constructor(outcome: Outcome, reason: string, { isCutShort = false }: { isCutShort?: boolean } = {}) {
    super(reason);
    this.outcome = outcome;
    this.isEndpointsFault = ENDPOINTS_FAULT.includes(outcome) && !isCutShort;
  }
}

/** What both SDKs throw where a call failed. Known by its form, because whoever loads their classes loads megabytes. */
export interface SdkError extends Error {
  readonly status: number | undefined;
  readonly headers: Headers | undefined;
  readonly requestID: string | null | undefined;
  readonly type?: unknown;
  readonly code?: unknown;
  readonly errorCode?: unknown;
  readonly param?: unknown;
}

/** Tells whether a provider's SDK threw this, for an answer that is none or for a connection that failed. */
export function isSdkError(error: unknown): error is SdkError {
  return error instanceof Error && ['status', 'headers', 'requestID'].every((field) => field in error);
}

export interface CallContext {
  readonly callerAborted: boolean;
  readonly deadlinePassed: boolean;
  readonly timeoutSeconds: number;
  /** Whether it had less time than is configured, because others had used it up. */
  readonly isCutShort?: boolean;
  readonly host: string;
}

const STATUS_MEANING: Record<number, string> = {
  400: 'it rejected the request as invalid',
  401: 'it did not accept the API key; check apiKey',
  402: 'it wants payment; check the account',
  403: 'the API key may not use this model',
  404: 'it knows no such model or path; check model and baseUrl',
  408: 'it gave up waiting',
  413: 'the request was too large for it',
  422: 'it rejected the request as invalid',
  429: 'a rate limit or quota is used up',
  529: 'it is overloaded',
};

/** Turns whatever a provider's call threw into a failure of ours. */
export function failureOf(error: unknown, context: CallContext): ModelFailure {
  if (error instanceof ModelFailure) return error;
  if (context.callerAborted) return new ModelFailure('aborted', 'the caller gave the question up');
  if (context.deadlinePassed || isSdkTimeout(error)) {
    const { timeoutSeconds, isCutShort = false } = context;
    const why = isCutShort ? 'all that was left for this question' : 'timeoutSeconds';
    return new ModelFailure('timeout', `no complete answer within ${timeoutSeconds} s (${why})`, { isCutShort });
  }
  if (isSdkError(error) && error.status !== undefined) return statusFailure(error.status, error);
  if (error instanceof ZodError) {
    const where = error.issues[0]?.path.join('.') || 'the whole';
    return new ModelFailure(
      'invalid',
      `its reply does not follow the protocol (at ${word(where) ?? 'an unexpected place'}); check baseUrl`,
    );
  }
  if (error instanceof SyntaxError) return new ModelFailure('invalid', 'its reply is not JSON; check baseUrl');
  const code = codeOf(error);
  if (isSdkError(error) || code) {
    return new ModelFailure('unreachable', `no connection to ${context.host}${code ? ` (${code})` : ''}`);
  }
  return new ModelFailure('failed', `an unexpected ${error instanceof Error ? error.name : typeof error}`);
}

function isSdkTimeout(error: unknown): boolean {
  return isSdkError(error) && error.constructor.name === 'APIConnectionTimeoutError';
}

function statusFailure(status: number, { type, code, errorCode, param, requestID }: SdkError): ModelFailure {
  const details = [word(type), word(code) ?? word(errorCode), param ? `about ${word(param) ?? 'a field'}` : undefined];
  const id = word(requestID);
  const about = [...new Set(details), id && `request ${id}`].filter(Boolean).join(', ');
  return new ModelFailure(outcomeOf(status), `HTTP ${status}${about ? ` (${about})` : ''}: ${meaningOf(status)}`);
}

function outcomeOf(status: number): Outcome {
  if (status === 429) return 'limited';
  return status >= 500 || status === 408 ? 'unavailable' : 'rejected';
}

function meaningOf(status: number): string {
  if (status < 400) return 'it redirected the request, which is not followed; check baseUrl';
  return STATUS_MEANING[status] ?? (status >= 500 ? 'it failed on its side' : 'it rejected the request');
}

/** Lets an identifier through that the other side sent, such as an error type or a request id, and nothing that could be prose. */
function word(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\w.:[\]-]{1,80}$/.test(value) ? value : undefined;
}

function codeOf(error: unknown): string | undefined {
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth += 1) {
    const code = word((at as NodeJS.ErrnoException).code);
    if (code) return code;
    at = at.cause;
  }
  return undefined;
}
