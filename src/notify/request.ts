import { Agent, fetch } from 'undici';
import { messageOf } from '../errors.ts';

const TIMEOUT_MS = 5000;
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const WAIT_SECONDS_MAX = 3600;
/** Nothing was sent on such a connection. */
const NOT_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);
const REASON_MAX = 300;

const agent = new Agent({ maxResponseSize: ANSWER_BYTES_MAX });

/** Something that was to be sent did not get through, as far as can be told. */
export class SendFailed extends Error {
  /** Whether it may have arrived all the same. */
  readonly perhapsDone: boolean;
  /** It was too much for the other side, for now. */
  readonly limited: boolean;
  /** The other side said when to come back, in seconds. */
  readonly waitSeconds: number | null;
  /** The other side will never take it as it is. */
  readonly refused: boolean;

  constructor(
    message: string,
    about: { perhapsDone?: boolean; limited?: boolean; waitSeconds?: number | null; refused?: boolean } = {},
  ) {
    super(message);
    this.perhapsDone = about.perhapsDone ?? true;
    this.limited = about.limited ?? false;
    this.waitSeconds = about.waitSeconds ?? null;
    this.refused = about.refused ?? false;
  }
}

export interface Sending {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/**
 * Sends one HTTP request, with `body` as JSON, and gives the text of a 2xx answer; redirects are not followed.
 * @throws SendFailed for everything else: 4xx other than 408 and 429 is refused, an answer that did not come is unclear.
 */
export async function sendRequest(url: string, { method, headers = {}, body }: Sending): Promise<string> {
  try {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      dispatcher: agent,
    });
    const text = await response.text();
    if (response.ok) return text;
    throw refusal(response.status, response.headers, text);
  } catch (error) {
    if (error instanceof SendFailed) throw error;
    const code = (error as { cause?: NodeJS.ErrnoException }).cause?.code;
    throw new SendFailed(messageOf(error).slice(0, REASON_MAX), { perhapsDone: !NOT_CONNECTED.has(code ?? '') });
  }
}

function refusal(status: number, headers: { get(name: string): string | null }, text: string): SendFailed {
  const said = text.replace(/\s+/g, ' ').trim().slice(0, REASON_MAX);
  const message = `it answered ${status}${said ? `: ${said}` : ''}`;
  if (status === 429)
    return new SendFailed(message, { perhapsDone: false, limited: true, waitSeconds: waitOf(headers) });
  if (status >= 500 || status === 408) return new SendFailed(message, { waitSeconds: waitOf(headers) });
  return new SendFailed(message, { perhapsDone: false, refused: true });
}

/** Seconds to wait: `ratelimit-reset` of the IETF's RateLimit headers draft 03, as PagerDuty sends it, or `retry-after` of RFC 9110. */
function waitOf(headers: { get(name: string): string | null }): number | null {
  const waits = [headers.get('ratelimit-reset'), headers.get('retry-after')].flatMap((value) => {
    if (value === null) return [];
    const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
    return Number.isFinite(seconds) ? [Math.min(Math.max(Math.ceil(seconds), 1), WAIT_SECONDS_MAX)] : [];
  });
  return waits.length > 0 ? Math.max(...waits) : null;
}
