/**
 * The one family of errors. Every failure a person, a sender or a caller can meet has a code here;
 * the code fixes who must hear of it, whether trying again can help, and the HTTP status.
 */

/** Who has to act on an error: the sender of a request, the operator of Nightshift, whoever is on call, or a developer. */
export type Audience = 'sender' | 'operator' | 'oncall' | 'developer';

interface ErrorKind {
  readonly status: number;
  readonly retryable: boolean;
  readonly audience: Audience;
}

/** Every error code, with its HTTP status; docs/errors.md says what each means and what to do. */
export const ERROR_KINDS = {
  invalid_config: { status: 500, retryable: false, audience: 'operator' },
  invalid_policy: { status: 500, retryable: false, audience: 'operator' },
  invalid_runbook: { status: 422, retryable: false, audience: 'operator' },
  invalid_payload: { status: 400, retryable: false, audience: 'sender' },
  unsupported_version: { status: 400, retryable: false, audience: 'sender' },
  payload_too_large: { status: 413, retryable: false, audience: 'sender' },
  unsupported_media_type: { status: 415, retryable: false, audience: 'sender' },
  unauthorized: { status: 401, retryable: false, audience: 'sender' },
  forbidden: { status: 403, retryable: false, audience: 'sender' },
  too_many_requests: { status: 429, retryable: true, audience: 'sender' },
  not_found: { status: 404, retryable: false, audience: 'sender' },
  method_not_allowed: { status: 405, retryable: false, audience: 'sender' },
  conflict: { status: 409, retryable: false, audience: 'sender' },
  idempotency_key_in_use: { status: 409, retryable: true, audience: 'sender' },
  idempotency_key_reused: { status: 422, retryable: false, audience: 'sender' },
  busy: { status: 503, retryable: true, audience: 'operator' },
  database_unavailable: { status: 503, retryable: true, audience: 'operator' },
  data_dir_locked: { status: 503, retryable: false, audience: 'operator' },
  data_dir_damaged: { status: 500, retryable: false, audience: 'operator' },
  invalid_backup: { status: 422, retryable: false, audience: 'operator' },
  audit_broken: { status: 500, retryable: false, audience: 'operator' },
  server_unreachable: { status: 503, retryable: true, audience: 'operator' },
  tool_failed: { status: 502, retryable: false, audience: 'oncall' },
  tool_refused: { status: 403, retryable: false, audience: 'oncall' },
  spending_ceiling: { status: 503, retryable: false, audience: 'operator' },
  issuer_failed: { status: 502, retryable: true, audience: 'operator' },
  llm_failed: { status: 502, retryable: true, audience: 'oncall' },
  internal: { status: 500, retryable: false, audience: 'developer' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

/** A place in a file; line and column are counted from 1, and the column is left out where only the line is known. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

/** One mistake in something a person or a system gave us: where, what was found, and how to mend it. */
export interface Problem {
  /** Where it stands, where a file said it. */
  readonly at?: Place;
  readonly field: string;
  readonly value?: string;
  readonly message: string;
  readonly fix?: string;
}

/** A failure with a documented code; `problems` lists every mistake found, not only the first. */
export class NightshiftError extends Error {
  override readonly name = 'NightshiftError';
  readonly code: ErrorCode;
  readonly problems: readonly Problem[];

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; problems?: readonly Problem[] } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.problems = options.problems ?? [];
  }

  get status(): number {
    return ERROR_KINDS[this.code].status;
  }

  get retryable(): boolean {
    return ERROR_KINDS[this.code].retryable;
  }

  get audience(): Audience {
    return ERROR_KINDS[this.code].audience;
  }
}

/** Writes problems one per line as `file:line:column field: message (found: value). Fix: …`, the form every surface shows them in. */
export function describeProblems(problems: readonly Problem[]): string {
  return problems.map(({ fix, ...problem }) => `${describeMistake(problem)}${fix ? `. Fix: ${fix}` : ''}`).join('\n');
}

/** Writes what is wrong and where, without how to mend it. */
export function describeMistake({ at, field, value, message }: Problem): string {
  const place = at ? `${[at.file, at.line, ...(at.column === undefined ? [] : [at.column])].join(':')} ` : '';
  return `${place}${field}: ${message}${value === undefined ? '' : ` (found: ${value})`}`;
}

/** Writes an error as a problem document (RFC 9457), in the form that every HTTP answer of Nightshift has. */
export function problemDocument({ code, status, message, problems }: NightshiftError): object {
  const title = code.replaceAll('_', ' ');
  const type = `urn:nightshift:error:${code}`;
  return { type, title, status, code, detail: message, ...(problems.length > 0 ? { problems } : {}) };
}

/** Gives the message of anything thrown, without a stack trace, following one level of `cause`. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // AggregateError (several addresses refused) carries an empty message of its own.
  const own = error.message || (error as NodeJS.ErrnoException).code || error.name;
  const cause = error.cause instanceof Error ? error.cause.message || (error.cause as NodeJS.ErrnoException).code : '';
  return cause && !own.includes(cause) ? `${own}: ${cause}` : own;
}
