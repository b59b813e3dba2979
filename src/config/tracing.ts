import { z } from 'zod';
import type { Problem } from '../errors.ts';

const endpointSchema = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
  // It would be answered with 404, and nobody would look there.
  .refine((url) => URL.canParse(url) && new URL(url).pathname !== '/', {
    error: 'has no path; write it whole, for example http://localhost:4318/v1/traces',
  });

/** The `tracing` section: where traces are sent, and what is in them. */
export const tracingSchema = z
  .strictObject({
    endpoint: endpointSchema
      .optional()
      .describe('Where spans are posted to (OTLP over HTTP, protobuf), with its path; nothing is traced without one.'),
    headers: z
      .record(
        z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be the name of a header'),
        z.string().regex(/^[\t -~]*$/, 'must be printable ASCII in one line'),
      )
      .default({})
      .describe('Sent with them, such as authorization.'),
    content: z
      .boolean()
      .default(false)
      .describe('Whether questions, answers, arguments and results are in them; without secrets in any case.'),
    sampleRatio: z.number().min(0).max(1).default(1).describe('Which share of the traces is exported.'),
  })
  .prefault({})
  .describe('Where traces are sent, and what is in them; docs/tracing.md.');

/** Where traces are sent, from the file and the usual variables of the environment. */
export interface TracingConfig {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly content: boolean;
  readonly sampleRatio: number;
  /** What is said of this process, such as `service.name`. */
  readonly resource: Readonly<Record<string, string>>;
}

/**
 * Gives where traces are sent, or null where nobody said so. The file goes before the environment; headers of both are sent.
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function tracingOf(
  { endpoint: declared, headers, ...rest }: z.infer<typeof tracingSchema>,
  env: Readonly<Record<string, string | undefined>>,
  problems: Problem[],
): TracingConfig | null {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return null;
  const endpoint = declared ?? endpointOf(env, problems);
  if (endpoint === null) return null;
  const pairs = (name: string) => pairsOf(name, env[name] ?? '', problems);
  const { OTEL_SERVICE_NAME: name } = env;
  return {
    ...rest,
    endpoint,
    headers: {
      ...lowerCase(pairs('OTEL_EXPORTER_OTLP_HEADERS')),
      ...lowerCase(pairs('OTEL_EXPORTER_OTLP_TRACES_HEADERS')),
      ...lowerCase(headers),
    },
    resource: {
      'service.name': 'nightshift',
      ...pairs('OTEL_RESOURCE_ATTRIBUTES'),
      ...(name ? { 'service.name': name } : {}),
    },
  };
}

/** The address for traces is whole, and the one for everything is where the paths begin. */
function endpointOf(env: Readonly<Record<string, string | undefined>>, problems: Problem[]): string | null {
  for (const [name, path] of [
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', ''],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', '/v1/traces'],
  ] as const) {
    const value = env[name];
    if (!value) continue;
    if (URL.canParse(value) && /^https?:/.test(value)) return path === '' ? value : value.replace(/\/*$/, path);
    problems.push({
      field: name,
      value,
      message: 'is not a URL',
      fix: 'write an http:// or https:// URL, or unset it',
    });
  }
  return null;
}

/** Reads `name=value,name=value`, values percent-encoded; what is wrong with it is told without the values, which may be secrets. */
function pairsOf(name: string, text: string, problems: Problem[]): Record<string, string> {
  try {
    const pairs = text.split(',').filter((pair) => pair.trim() !== '');
    return Object.fromEntries(
      pairs.map((pair) => {
        const [, key = '', value = ''] = /^\s*([^=\s]+)\s*=\s*([\t -~]*?)\s*$/.exec(pair) ?? [];
        if (key === '') throw new URIError();
        return [decodeURIComponent(key), decodeURIComponent(value)];
      }),
    );
  } catch {
    const fix = 'write name=value,name=value, with special characters as %XX, or unset it';
    problems.push({ field: name, message: 'cannot be read', fix });
    return {};
  }
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
