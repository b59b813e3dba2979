import { z } from 'zod';
import { askEndpoint, authorizationHeaders } from '../http/endpoint.ts';
import { type ToolContext, toolFailed } from '../tool.ts';
import type { PrometheusSettings } from './settings.ts';

const RESPONSE_BYTES_MAX = 4 * 1024 * 1024;
const MESSAGE_LENGTH_MAX = 500;

const errorSchema = z.looseObject({ status: z.literal('error'), errorType: z.string(), error: z.string() });

export interface PrometheusCall<Data> {
  /** Path below `/api/v1/`. */
  readonly endpoint: string;
  /** Sent as a form by POST, which has no limit on length as a URL has; without one the request is a GET. */
  readonly form?: URLSearchParams;
  readonly data: z.ZodType<Data>;
  readonly tooLargeFix: string;
}

export interface PrometheusAnswer<Data> {
  readonly data: Data;
  /** What Prometheus itself remarks on the answer. */
  readonly warnings: readonly string[];
}

/**
 * Asks Prometheus's HTTP API, version 1.
 * @throws NightshiftError `tool_failed` with Prometheus's own message where it refuses, and in our words otherwise.
 * @see https://prometheus.io/docs/prometheus/latest/querying/api/
 */
export async function askPrometheus<Data>(
  call: PrometheusCall<Data>,
  context: ToolContext<PrometheusSettings>,
): Promise<PrometheusAnswer<Data>> {
  const { settings, signal } = context;
  const base = settings.url.replace(/\/+$/, '');
  const { status, text } = await askEndpoint({
    name: 'Prometheus',
    url: new URL(`${base}/api/v1/${call.endpoint}`),
    headers: { accept: 'application/json', ...authorizationHeaders(settings) },
    ...(call.form ? { body: call.form } : {}),
    bytesMax: RESPONSE_BYTES_MAX,
    tooLargeFix: call.tooLargeFix,
    signal,
  });
  const json = parseJson(text);
  if (status !== 200) throw refusal(status, json, settings.url);
  const schema = z.looseObject({
    status: z.literal('success'),
    data: call.data,
    warnings: z.array(z.string()).optional(),
    infos: z.array(z.string()).optional(),
  });
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
    throw toolFailed(
      `what answers at ${settings.url} does not speak the API of Prometheus: ${where}${issue?.message}`,
      {
        fix: 'set `url` of this toolset to Prometheus, with its path prefix if it has one',
      },
    );
  }
  const { data, warnings = [], infos = [] } = parsed.data;
  return { data, warnings: [...warnings, ...infos].slice(0, 10).map((line) => line.slice(0, MESSAGE_LENGTH_MAX)) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal(status: number, json: unknown, url: string) {
  const error = errorSchema.safeParse(json);
  if (!error.success) {
    const fix = 'check that `url` of this toolset is that of Prometheus, and that it is healthy';
    return toolFailed(`Prometheus at ${url} answered ${status}`, { fix });
  }
  const message = error.data.error.slice(0, MESSAGE_LENGTH_MAX);
  if (status === 400 || status === 422) {
    return toolFailed(`Prometheus refused the query (${error.data.errorType}): ${message}`, {
      fix: 'correct the query',
    });
  }
  const fix = 'narrow the query, or look at the load and the log of Prometheus';
  return toolFailed(`Prometheus could not answer (${status}, ${error.data.errorType}): ${message}`, { fix });
}
