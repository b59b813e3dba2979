import { type Dispatcher, request } from 'undici';
import { z } from 'zod';
import { messageOf, NightshiftError } from '../../errors.ts';
// Not through its index: a toolset's process needs neither logs nor metrics, and starts sooner without.
import { redact } from '../../telemetry/redact-shared.ts';
import { defineTool, type ToolContext, toolFailed } from '../tool.ts';
import { guardedAgent, type Permit, permit, type Resolve } from './egress.ts';
import { parseUrl, readOriginPattern } from './origin.ts';
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
export const probe = createProbe();

/** Makes the tool; `resolve` stands in for the system's resolver. */
export function createProbe(resolve?: Resolve) {
  return defineTool<HttpSettings, typeof input>({
    name: 'http.probe',
    description:
      'Asks one URL and reports status, time taken and the start of the body. No answer is reported as status 0 with the reason. Redirects are not followed.',
    input,
    risk: 'read',
    target: ({ url }) => `endpoint ${targetOf(url)}`,
    undo: 'nothing to undo',
    timeoutSeconds: 10,
    run: async ({ url: text, method = 'GET' }, context) => {
      const { url, permitted } = permittedUrl(text, context.settings);
      const agent = guardedAgent(permitted, { resolve });
      try {
        return await ask(url, method, agent, context);
      } finally {
        await agent.destroy();
      }
    },
  });
}

function targetOf(text: string): string {
  const url = parseUrl(text);
  return url ? `${url.origin}${url.pathname}` : text;
}

/** Parses once, so that the host that was judged is the host that is connected to. */
function permittedUrl(text: string, { allow, publicHttps = false }: HttpSettings): { url: URL; permitted: Permit } {
  const url = parseUrl(text);
  if (!url)
    throw toolFailed(`${JSON.stringify(text)} is not a URL`, { fix: 'give one such as http://127.0.0.1:8080/healthz' });
  const listed = allow.flatMap((entry) => {
    const read = readOriginPattern(entry);
    return 'pattern' in read ? [read.pattern] : [];
  });
  const permitted = permit(url, { listed, publicHttps });
  if (typeof permitted === 'string') return { url, permitted };
  if (url.username || url.password)
    throw toolFailed(`the URL for ${url.host} ${permitted.problem}`, { fix: 'leave out what stands before the @' });
  const fix = `add ${JSON.stringify(url.origin)} to the setting \`allow\` of this toolset, if it may be probed`;
  throw toolFailed(`${url.origin} ${permitted.problem} (${allow.join(', ')})`, { fix });
}

async function ask(url: URL, method: 'GET' | 'HEAD', dispatcher: Dispatcher, { signal }: ToolContext<HttpSettings>) {
  const timeout = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  const startedAt = performance.now();
  const durationMs = () => Math.round(performance.now() - startedAt);
  const reasonOf = (error: unknown) => {
    if (signal.aborted) throw toolFailed(`the probe of ${url.origin} was broken off by its caller`, { cause: error });
    // A name that leads to where nobody may ask is a refusal, not something found out about the endpoint.
    if (error instanceof NightshiftError) throw error;
    return timeout.aborted ? `no complete answer within ${PROBE_TIMEOUT_MS / 1000} s` : describe(error);
  };
  try {
    // `fetch` would not do, it bars some ports.
    const response = await request(url, {
      method,
      dispatcher,
      signal: AbortSignal.any([signal, timeout]),
      headers: { 'user-agent': 'nightshift', accept: '*/*', 'accept-encoding': 'identity' },
    });
    const status = response.statusCode;
    const body = await readBody(response.body, BODY_BYTES_MAX);
    const bodyStart = startOf(body.bytes);
    if (body.error) return { status, ok: false, durationMs: durationMs(), bodyStart, error: reasonOf(body.error) };
    return { status, ok: status >= 200 && status < 300, durationMs: durationMs(), bodyStart };
  } catch (error) {
    return { status: 0, ok: false, durationMs: durationMs(), bodyStart: '', error: reasonOf(error) };
  }
}

/** Cuts off no half of a character, and no half of a secret. */
function startOf(bytes: Buffer): string {
  const decode = (some: Buffer) => new TextDecoder().decode(some, { stream: true });
  return redact(decode(bytes), decode(bytes.subarray(0, BODY_START_BYTES)).length);
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
