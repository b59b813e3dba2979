import type { Problem } from '../errors.ts';
import { type ModelConfig, modelSchema } from './models.ts';
import { PROVIDER_NAMES, PROVIDERS } from './providers.ts';

/** A variable of the environment that Nightshift reads. */
interface Variable {
  readonly name: string;
  /** Whether it may be given as NAME_FILE, the path of a file that holds it. */
  readonly secret?: true;
  readonly description: string;
}

/** Every variable of the environment that Nightshift reads by itself; docs/configuration.md is written from it. */
export const VARIABLES: readonly Variable[] = [
  { name: 'NIGHTSHIFT_CONFIG', description: 'Path of the configuration file; nightshift.yaml here otherwise.' },
  { name: 'NIGHTSHIFT_DATA_DIR', description: 'The data directory; goes before `dataDir`.' },
  { name: 'NIGHTSHIFT_HOST', description: 'The address to listen on; goes before `server.host`.' },
  { name: 'NIGHTSHIFT_PORT', description: 'The port to listen on; goes before `server.port`.' },
  {
    name: 'NIGHTSHIFT_LOG_LEVEL',
    description: 'How much is logged: trace, debug, info (where it is not set), warn, error or silent.',
  },
  { name: 'NIGHTSHIFT_URL', description: 'The server that the commands ask; the one that runs here otherwise.' },
  { name: 'NIGHTSHIFT_TOKEN', secret: true, description: 'The personal token that the commands hand over.' },
  {
    name: 'DATABASE_URL',
    secret: true,
    description:
      'The Postgres (15 or newer, with pgvector) to use, as postgres://user:password@host:5432/database; the embedded one otherwise.',
  },
  {
    name: 'NIGHTSHIFT_MIGRATE_TO',
    secret: true,
    description: 'The empty Postgres that `nightshift migrate` moves everything to.',
  },
  ...PROVIDER_NAMES.flatMap((name): Variable[] => {
    const prefix = name.toUpperCase();
    return [
      {
        name: `${prefix}_API_KEY`,
        secret: true,
        description: `Makes a model of ${PROVIDERS[name].company} known, where \`models\` is empty.`,
      },
      { name: `${prefix}_BASE_URL`, description: 'Where that model is asked instead.' },
      { name: `${prefix}_MODEL`, description: 'Which model it is.' },
    ];
  }),
  {
    name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    description: 'Where traces are sent; `tracing.endpoint` goes before it.',
  },
  { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', description: 'The same for all signals; `/v1/traces` is added.' },
  { name: 'OTEL_EXPORTER_OTLP_HEADERS', secret: true, description: 'Headers sent with traces: name=value,name=value.' },
  { name: 'OTEL_EXPORTER_OTLP_TRACES_HEADERS', secret: true, description: 'The same, and goes before it.' },
  { name: 'OTEL_RESOURCE_ATTRIBUTES', description: 'What is said of this process in traces: name=value,name=value.' },
  { name: 'OTEL_SERVICE_NAME', description: 'Its `service.name`; nightshift otherwise.' },
  { name: 'OTEL_SDK_DISABLED', description: '`true` turns traces off.' },
];

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/** The variables that hold a secret. */
export const SECRET_VARIABLES: readonly string[] = VARIABLES.flatMap(({ name, secret }) => (secret ? [name] : []));

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Gives the environment with each of these secrets whose NAME_FILE names a file read from there, without the newline at its end. An empty variable counts as none. Says what is wrong with which variable, and never what is in a file.
 * @see https://docs.docker.com/reference/compose-file/secrets/
 */
export function withSecretFiles(
  env: Environment,
  { names, readSecret }: { names: readonly string[]; readSecret: (path: string) => string },
): { env: Environment; problems: Problem[] } {
  const problems: Problem[] = [];
  const read = new Map<string, string>();
  for (const name of new Set(names)) {
    const field = `${name}_FILE`;
    const path = env[field];
    if (!path) continue;
    if (env[name]) {
      problems.push({ field, value: path, message: `stands beside ${name}`, fix: 'set only one of the two' });
      continue;
    }
    try {
      const value = readSecret(path).replace(/\r?\n$/, '');
      if (value !== '') read.set(name, value);
      else problems.push({ field, value: path, message: 'is an empty file', fix: 'write the secret into it' });
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      const fix = 'correct the path, or let the user that runs Nightshift read the file';
      problems.push({ field, value: path, message: `cannot be read (${why})`, fix });
    }
  }
  // A secret that could not be read is told once, and not again as one that is not set.
  const unread = problems.map(({ field }) => [field.replace(/_FILE$/, ''), env[field.replace(/_FILE$/, '')] ?? '']);
  return { env: { ...env, ...Object.fromEntries(unread), ...Object.fromEntries(read) }, problems };
}

/** Reads port (undefined where none is given) and log level from the environment, and gives what is wrong with them and with DATABASE_URL; an empty variable counts as none. */
export function variablesOf(env: Environment): { port: number | undefined; logLevel: string; problems: Problem[] } {
  const problems: Problem[] = [];
  const { NIGHTSHIFT_PORT: given, DATABASE_URL: url } = env;
  const logLevel = env.NIGHTSHIFT_LOG_LEVEL || 'info';
  const port = given ? Number(given) : undefined;
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    const message = 'is not a port number from 0 to 65535';
    problems.push({ field: 'NIGHTSHIFT_PORT', value: given ?? '', message, fix: 'set it to 8642, say' });
  }
  if (!LOG_LEVELS.includes(logLevel)) {
    const fix = `use one of ${LOG_LEVELS.join(', ')}`;
    problems.push({ field: 'NIGHTSHIFT_LOG_LEVEL', value: logLevel, message: 'is not a log level', fix });
  }
  if (url && !(/^postgres(ql)?:\/\//.test(url) && URL.canParse(url))) {
    const message =
      'is not a URL that starts with postgres:// or postgresql:// (write special characters of the password as %XX)';
    problems.push({
      field: 'DATABASE_URL',
      message,
      fix: 'write it as postgres://HOST:5432/DATABASE, with USER:PASSWORD@ before the host',
    });
  }
  return { port, logLevel, problems };
}

/** Gives the models of the file, or those that the usual environment variables of the providers stand for. */
export function modelsOf(
  declared: readonly ModelConfig[],
  env: Environment,
): { models: ModelConfig[]; problems: Problem[] } {
  if (declared.length > 0) return { models: [...declared], problems: [] };
  const problems: Problem[] = [];
  const models = PROVIDER_NAMES.flatMap((provider) => {
    const prefix = provider.toUpperCase();
    const [apiKey, baseUrl] = [env[`${prefix}_API_KEY`], env[`${prefix}_BASE_URL`]];
    if (!apiKey && !baseUrl) return [];
    const model = env[`${prefix}_MODEL`] || PROVIDERS[provider].model;
    const given = { ...(apiKey ? { apiKey } : {}), ...(baseUrl ? { baseUrl } : {}) };
    const parsed = modelSchema.safeParse({ provider, model, timeoutSeconds: 60, ...given });
    if (parsed.success) return [parsed.data];
    // Of the three only an address can be wrong.
    const fix = 'write an http:// or https:// URL, or unset it';
    problems.push({ field: `${prefix}_BASE_URL`, value: baseUrl ?? '', message: 'is not a URL', fix });
    return [];
  });
  return { models, problems };
}
