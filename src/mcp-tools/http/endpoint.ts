import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { cutShort, toolFailed } from '../tool.ts';
import { mayHaveArrived, saysNothing } from './may-have-arrived.ts';
import { readBody } from './read-body.ts';

/** One exchange with an endpoint that the operator declared. */
export interface EndpointRequest {
  /** What answers there, as people call it, for example `supervisord`. */
  readonly name: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent by POST; without one the request is a GET. */
  readonly body?: string | URLSearchParams;
  readonly bytesMax: number;
  /** What to do about an answer larger than `bytesMax`. */
  readonly tooLargeFix: string;
  /** Whether it changes something; where no answer says so then, nobody knows. */
  readonly isChange?: boolean;
  readonly signal: AbortSignal;
}

export interface EndpointAnswer {
  readonly status: number;
  readonly text: string;
}

/** The settings that prove who we are to an endpoint. */
export interface Credentials {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly bearerToken?: string | undefined;
}

/** A setting that holds a base URL: http or https, no credentials, query or fragment; a path only where `path` allows one. */
export function endpointUrlSchema({ path }: { path: boolean }) {
  return z.string().superRefine((text, context) => {
    const problem = endpointUrlProblem(text, path);
    if (problem) context.addIssue({ code: 'custom', message: problem, input: text });
  });
}

function endpointUrlProblem(text: string, path: boolean): string | undefined {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return 'is not a URL such as http://127.0.0.1:9001';
  const url = new URL(text);
  if (url.username || url.password) return 'carries credentials; put them into username and password';
  if (url.search || url.hash || /[?#]$/.test(text)) return 'carries a query or a fragment; end it before them';
  if (!path && url.pathname !== '/') return 'carries a path; give scheme, host and port only';
  return undefined;
}

/** The fields of Basic authentication; a user name with a colon could not be told from its password (RFC 7617). */
export const basicAuthFields = {
  username: z
    .string()
    .min(1)
    .regex(/^[^:]*$/, 'must not contain a colon')
    .optional()
    .describe('User name for Basic authentication.'),
  password: z.string().min(1).optional().describe('Password for Basic authentication.'),
} as const;

/** Tells whether user name and password are both there or both absent. */
export function hasWholeLogin({ username, password }: Credentials): boolean {
  return (username === undefined) === (password === undefined);
}

/** What a settings schema says when only one of user name and password is there. */
export const WHOLE_LOGIN_MESSAGE = 'username and password belong together; give both or neither';

const serverSchema = z.strictObject({
  url: endpointUrlSchema({ path: true }),
  ...basicAuthFields,
  // Anything else would be refused while sending, with the token in the message.
  bearerToken: z
    .string()
    .regex(/^[!-~]+$/, 'must be printable ASCII without spaces')
    .optional()
    .describe('Bearer token, instead of user name and password.'),
});

/**
 * Makes the settings of a server that is asked over HTTP, such as Prometheus: its base URL, `more` of its own, and one way to authenticate
 * or none. `example` is an address that it often has.
 */
export function serverSettings<More extends z.ZodRawShape>(name: string, example: string, more: More) {
  const url = serverSchema.shape.url.describe(
    `Base address of ${name}, such as ${example}, with its path prefix if it has one.`,
  );
  return serverSchema
    .extend({ url, ...more })
    .refine((settings) => hasWholeLogin(settings as Credentials), { path: ['password'], message: WHOLE_LOGIN_MESSAGE })
    .refine(
      (settings) => {
        const { username, bearerToken } = settings as Credentials;
        return username === undefined || bearerToken === undefined;
      },
      {
        path: ['bearerToken'],
        message: 'stands beside username and password; give one of the two ways to authenticate',
      },
    );
}

/** Gives the headers that carry these credentials; none where there are none. */
export function authorizationHeaders({ username, password, bearerToken }: Credentials): Record<string, string> {
  if (bearerToken !== undefined) return { authorization: `Bearer ${bearerToken}` };
  if (username === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` };
}

/**
 * Sends one request to a declared endpoint and returns its status and text; follows no redirect.
 * @throws NightshiftError `tool_failed` where there is no answer in time, a redirect, refused credentials, or an answer
 *   that is larger than `bytesMax` or not UTF-8; OutcomeUnknown where a change may have been made all the same.
 */
export async function askEndpoint(request: EndpointRequest): Promise<EndpointAnswer> {
  const { name, url, headers, body, bytesMax, signal, isChange = false } = request;
  const at = `${name} at ${url.origin}`;
  const method = body === undefined ? 'GET' : 'POST';
  let response: Response;
  try {
    // A redirect would carry the request, and on the same host the credentials, to where nobody declared.
    response = await fetch(url, { method, headers: { ...headers }, body: body ?? null, redirect: 'manual', signal });
  } catch (cause) {
    throw unanswered(at, { signal, cause, isChange: isChange && mayHaveArrived(cause, signal) });
  }
  const read = await readBody(response.body, bytesMax);
  if (read.error) throw unanswered(at, { signal, cause: read.error, isChange });
  if (response.status >= 300 && response.status < 400) {
    const fix = 'set `url` of this toolset to the address that answers itself';
    throw toolFailed(`${at} answered with a redirect (${response.status}), which is not followed`, { fix });
  }
  if (response.status === 401 || response.status === 403) {
    const fix = 'correct the credentials in the settings of this toolset';
    throw toolFailed(`${at} refused our credentials (${response.status})`, { fix });
  }
  if (isChange && saysNothing(response.status)) throw cutShort(`${at} answered with ${response.status}`, isChange);
  if (!read.whole)
    throw cutShort(`${at} answered with more than ${bytesMax} bytes`, isChange, { fix: request.tooLargeFix });
  return { status: response.status, text: textOf(read.bytes, at) };
}

function textOf(bytes: Buffer, at: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw toolFailed(`${at} answered with bytes that are not UTF-8`, { cause });
  }
}

function unanswered(
  at: string,
  { signal, cause, isChange }: { signal: AbortSignal; cause: unknown; isChange: boolean },
) {
  if (signal.aborted)
    return cutShort(`${at} did not answer in time`, isChange, { cause, fix: 'look whether it is overloaded or hung' });
  const fix = 'check that it runs and that `url` of this toolset is right';
  return cutShort(`cannot reach ${at}: ${messageOf(cause)}`, isChange, { cause, fix });
}
