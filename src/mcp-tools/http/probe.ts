import { Agent, request } from 'undici';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { defineTool, type ToolContext, toolFailed } from '../tool.ts';
import { isAllowedOrigin, parseUrl, readOriginPattern } from './origin.ts';
import { readBody } from './read-body.ts';
import type { HttpSettings } from './settings.ts';

const PROBE_TIMEOUT_MS = 5000;
const BODY_BYTES_MAX = 64 * 1024;
const BODY_START_BYTES = 2048;

const input = z.strictObject({
  // The URL parser drops tabs and line breaks and turns backslashes round; none of them belongs into a URL.
  url: z
    .string()
    .max(2048)
    .regex(/^https?:\/\/[!-[\]-~]+$/, 'must be an absolute http:// or https:// URL in printable ASCII')
    .describe('The URL to ask, for example http://127.0.0.1:8080/healthz.'),
  method: z.enum(['GET', 'HEAD']).optional().describe('GET unless you say otherwise.'),
});

/** Asks one URL and reports what came back; an endpoint that does not answer is a finding, not a failure. */
export const probe = defineTool<HttpSettings, typeof input>({
  name: 'http.probe',
  description:
    'Asks one URL and reports status, time taken and the start of the body. No answer is reported as status 0 with the reason. Redirects are not followed.',
  input,
  risk: 'read',
  target: ({ url }) => `endpoint ${targetOf(url)}`,
  undo: 'nothing to undo',
  timeoutSeconds: 10,
  run: async ({ url: text, method = 'GET' }, context) => {
    const url = allowedUrl(text, context.settings);
    return ask(url, method, context);
  },
});

function targetOf(text: string): string {
  const url = parseUrl(text);
  return url ? `${url.origin}${url.pathname}` : text;
}

/** Parses once, so that the host that was compared is the host that is connected to. */
function allowedUrl(text: string, settings: HttpSettings): URL {
  const url = parseUrl(text);
  if (!url)
    throw toolFailed(`${JSON.stringify(text)} is not a URL`, { fix: 'give one such as http://127.0.0.1:8080/healthz' });
  if (url.username || url.password) {
    throw toolFailed(`the URL for ${url.host} carries credentials`, { fix: 'leave out what stands before the @' });
  }
  const patterns = settings.allow.flatMap((entry) => {
    const read = readOriginPattern(entry);
    return 'pattern' in read ? [read.pattern] : [];
  });
  if (!isAllowedOrigin(url, patterns)) {
    const fix = `add ${JSON.stringify(url.origin)} to the setting \`allow\` of this toolset, if it may be probed`;
    throw toolFailed(`${url.origin} is not among the origins that may be probed (${settings.allow.join(', ')})`, {
      fix,
    });
  }
  return url;
}

async function ask(url: URL, method: 'GET' | 'HEAD', { signal }: ToolContext<HttpSettings>) {
  const timeout = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  // A connection of its own: a pooled one would hide that new ones are refused. `fetch` would not do, it bars some ports.
  const agent = new Agent({ pipelining: 0, connections: 1, allowH2: false });
  const startedAt = performance.now();
  const durationMs = () => Math.round(performance.now() - startedAt);
  const reasonOf = (error: unknown) => {
    if (signal.aborted) throw toolFailed(`the probe of ${url.origin} was broken off by its caller`, { cause: error });
    return timeout.aborted ? `no complete answer within ${PROBE_TIMEOUT_MS / 1000} s` : describe(error);
  };
  try {
    const response = await request(url, {
      method,
      dispatcher: agent,
      signal: AbortSignal.any([signal, timeout]),
      headers: { 'user-agent': 'nightshift', accept: '*/*', 'accept-encoding': 'identity' },
    });
    const status = response.statusCode;
    const body = await readBody(response.body, BODY_BYTES_MAX);
    const bodyStart = new TextDecoder().decode(body.bytes.subarray(0, BODY_START_BYTES), { stream: true });
    if (body.error) return { status, ok: false, durationMs: durationMs(), bodyStart, error: reasonOf(body.error) };
    return { status, ok: status >= 200 && status < 300, durationMs: durationMs(), bodyStart };
  } catch (error) {
    return { status: 0, ok: false, durationMs: durationMs(), bodyStart: '', error: reasonOf(error) };
  } finally {
    await agent.destroy();
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name not resolved for now',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  UND_ERR_SOCKET: 'connection closed before the answer was complete',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'connection closed before the answer was complete',
};

function describe(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return (typeof code === 'string' && REASONS[code]) || messageOf(error);
}
