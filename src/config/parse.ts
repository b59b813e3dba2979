import { dirname, join, resolve } from 'node:path';
import { type Document, parseDocument } from 'yaml';
import type { z } from 'zod';
import { describeProblems, NightshiftError, type Problem } from '../errors.ts';
import { type ModelConfig, modelNameProblems, modelSchema } from './models.ts';
import { problemsOf } from './problems.ts';
import { type RunbookRemote, repeatedFolders, runbookSources } from './runbooks.ts';
import { type FileConfig, fileSchema, type ToolsetInstanceConfig } from './schema.ts';
import { NO_SERVICES, parseServices, type Services } from './services.ts';
import { isShippedMapping, type Sources } from './sources.ts';
import { type TracingConfig, tracingOf } from './tracing.ts';

/** The whole configuration, frozen; `configured` tells whether a nightshift.yaml was found. */
export interface Config
  extends Readonly<
    Omit<FileConfig, 'backup' | 'clearances' | 'killSwitch' | 'runbooks' | 'services' | 'sources' | 'tracing'>
  > {
  readonly backup: Readonly<Required<FileConfig['backup']>>;
  /** Every folder of runbooks; some hold what `runbookRemotes` fetches. */
  readonly runbooks: readonly string[];
  readonly runbookRemotes: readonly RunbookRemote[];
  readonly services: Services;
  readonly sources: Sources;
  readonly clearances: { readonly keyFile: string };
  readonly killSwitch: { readonly file: string };
  /** Null where nothing is traced. */
  readonly tracing: TracingConfig | null;
  readonly configured: boolean;
  readonly databaseUrl: string | null;
  readonly logLevel: string;
}

export interface ConfigSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The configuration file, or null where there is none. */
  readonly file: { readonly path: string; readonly text: string } | null;
  /** Settings schema of each toolset by name, so that its mistakes are reported with all the others. */
  readonly toolsetSettings: Readonly<Record<string, z.ZodType>>;
  /** Reads a further file that belongs to the configuration; null where there is none. Left out, there are none. */
  readonly readFile?: (path: string) => string | null;
  /** Relative paths start here. */
  readonly directory: string;
}

const DEFAULT_MODELS = { anthropic: 'claude-sonnet-5-5', openai: 'gpt-6.1-sol' } as const;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/**
 * Reads file and environment into one frozen configuration.
 * @throws NightshiftError `invalid_config` listing every mistake at once, with field, value and fix.
 */
export function parseConfig(source: ConfigSource): Config {
  const problems: Problem[] = [];
  const raw = source.file ? readYaml(source.file, source.env, problems) : {};
  const parsed = fileSchema.safeParse(raw);
  if (!parsed.success) problems.push(...problemsOf(parsed.error, raw));
  else
    problems.push(
      ...peopleLikeSources(parsed.data),
      ...nobodyForIssuer(parsed.data),
      ...subjectsOfTwoIssuers(parsed.data),
      ...repeatedFolders(parsed.data.runbooks, (path) => resolve(source.directory, path)),
    );
  problems.push(...toolsetProblems(raw, source.toolsetSettings));
  const services = readServices(raw, source, problems);

  const { env } = source;
  const models = modelsOf(parsed.data?.models ?? [], env, problems);
  if (parsed.success) problems.push(...modelNameProblems(models, parsed.data.routing));
  const tracing = parsed.success ? tracingOf(parsed.data.tracing, env, problems) : null;
  const port = env.NIGHTSHIFT_PORT === undefined ? undefined : Number(env.NIGHTSHIFT_PORT);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    const message = 'is not a port number from 0 to 65535';
    problems.push({ field: 'NIGHTSHIFT_PORT', value: env.NIGHTSHIFT_PORT ?? '', message, fix: 'set it to 8642, say' });
  }
  const logLevel = env.NIGHTSHIFT_LOG_LEVEL ?? 'info';
  if (!LOG_LEVELS.includes(logLevel)) {
    problems.push({
      field: 'NIGHTSHIFT_LOG_LEVEL',
      value: logLevel,
      message: 'is not a log level',
      fix: `use one of ${LOG_LEVELS.join(', ')}`,
    });
  }
  if (env.DATABASE_URL && !(/^postgres(ql)?:\/\//.test(env.DATABASE_URL) && URL.canParse(env.DATABASE_URL))) {
    const message =
      'is not a URL that starts with postgres:// or postgresql:// (write special characters of the password as %XX)';
    problems.push({
      field: 'DATABASE_URL',
      message,
      fix: 'write it as postgres://HOST:5432/DATABASE, with USER:PASSWORD@ before the host',
    });
  }
  if (problems.length > 0 || !parsed.success) {
    const where = source.file?.path ?? 'the environment';
    throw new NightshiftError(
      'invalid_config',
      `${problems.length} mistake(s) in ${where}:\n${describeProblems(problems)}`,
      { problems },
    );
  }

  const file = parsed.data;
  const inDirectory = (path: string) => resolve(source.directory, path);
  const dataDir = inDirectory(env.NIGHTSHIFT_DATA_DIR ?? file.dataDir);
  return deepFreeze({
    ...file,
    services,
    sources: withMappings(file.sources, inDirectory),
    configured: source.file !== null,
    console: { ...file.console, publicUrl: file.console.publicUrl ?? originOf(file.slack?.publicUrl) },
    server: { ...file.server, host: env.NIGHTSHIFT_HOST ?? file.server.host, port: port ?? file.server.port },
    dataDir,
    backup: {
      ...file.backup,
      everyHours: file.backup.everyHours ?? (env.DATABASE_URL ? 0 : 24),
      folder: file.backup.folder ? inDirectory(file.backup.folder) : join(dataDir, 'snapshots'),
    },
    clearances: {
      keyFile: file.clearances.keyFile ? inDirectory(file.clearances.keyFile) : join(dataDir, 'clearance.key'),
    },
    killSwitch: { file: file.killSwitch.file ? inDirectory(file.killSwitch.file) : join(dataDir, 'kill-switch') },
    ...runbookSources(file.runbooks, { inDirectory, dataDir }),
    policies: file.policies.map(inDirectory),
    toolsets: toolsetsIn(file.toolsets, inDirectory, besideFile(source, 'nightshift.lock.json')),
    models,
    tracing,
    investigation: { ...file.investigation, ...specialistsIn(file.investigation, inDirectory) },
    databaseUrl: env.DATABASE_URL || null,
    logLevel,
  });
}

function readYaml(file: { path: string; text: string }, env: ConfigSource['env'], problems: Problem[]): unknown {
  const document = parseDocument(file.text, { prettyErrors: true, uniqueKeys: true });
  for (const error of document.errors) problems.push({ field: file.path, message: error.message.split('\n')[0] ?? '' });
  if (document.errors.length > 0) return {};
  const value = withoutAliases(file.path, document, problems);
  return substitute(value ?? {}, env, [], problems);
}

/** Gives the document's plain value; an alias is a mistake, because a few of them can stand for gigabytes. */
function withoutAliases(path: string, document: Document, problems: Problem[]): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    problems.push({ field: path, message: 'uses a YAML alias (*name)', fix: 'write the value out' });
    return {};
  }
}

/** A file that stands beside the configuration file, or where that would stand. */
function besideFile({ directory, file }: ConfigSource, name: string): string {
  return join(resolve(directory, file ? dirname(file.path) : '.'), name);
}

/** Reads the file that `services:` names, or services.yaml beside the configuration file where there is one. */
function readServices(raw: unknown, source: ConfigSource, problems: Problem[]): Services {
  const { services: named, people } = (raw ?? {}) as { services?: unknown; people?: unknown };
  if (named !== undefined && typeof named !== 'string') return NO_SERVICES;
  const path = named === undefined ? besideFile(source, 'services.yaml') : resolve(source.directory, named);
  const text = source.readFile?.(path) ?? null;
  if (text === null) {
    const fix = 'correct the path, or remove it';
    if (named !== undefined) problems.push({ field: 'services', value: path, message: 'there is no such file', fix });
    return NO_SERVICES;
  }
  const known = fileSchema.shape.people.safeParse(people);
  const parsed = parseServices({ path, text, people: known.success ? known.data : null });
  problems.push(...parsed.problems);
  return parsed.services;
}

/** Replaces `${NAME}` inside strings by environment variables; an unset one is a mistake. */
function substitute(value: unknown, env: ConfigSource['env'], path: (string | number)[], problems: Problem[]): unknown {
  if (typeof value === 'string') {
    return value.replace(/\$\{([A-Z0-9_]+)\}/g, (_, name: string) => {
      const found = env[name];
      if (found === undefined) {
        const message = `the environment variable ${name} is not set`;
        problems.push({
          field: path.join('.'),
          message,
          fix: `export ${name} before you start, or write the value here`,
        });
      }
      return found ?? '';
    });
  }
  if (Array.isArray(value)) return value.map((item, index) => substitute(item, env, [...path, index], problems));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, substitute(item, env, [...path, key], problems)]),
    );
  }
  return value;
}

/** The timeline calls what a source said by its name; a person of that name would be taken for it. */
function peopleLikeSources({ people, sources }: FileConfig): Problem[] {
  return people.flatMap(({ name }, index) =>
    Object.hasOwn(sources, name.toLowerCase())
      ? [{ field: `people.${index}.name`, value: name, message: 'is the name of a source', fix: 'choose another name' }]
      : [],
  );
}

/** An issuer vouches for people of `people:`; where none can be known by it, nobody could ever come in. */
function nobodyForIssuer({ people, server, console: { oidc } }: FileConfig): Problem[] {
  if (people.some(({ email, subject }) => email ?? subject)) return [];
  const fix = 'give those who shall come in an email or a subject';
  return [
    ...(server.oauth ? ['has nobody whom a token of server.oauth could stand for'] : []),
    ...(oidc ? ['has nobody who could sign in by console.oidc'] : []),
  ].map((message) => ({ field: 'people', message, fix }));
}

/** The same `sub` at another issuer is somebody else. */
function subjectsOfTwoIssuers({ people, server: { oauth }, console: { oidc } }: FileConfig): Problem[] {
  if (!oauth || !oidc || oauth.issuer === oidc.issuer || people.every(({ subject }) => subject === undefined))
    return [];
  const message = `is not server.oauth.issuer (${oauth.issuer}), so nobody could say whose subject stands in people:`;
  const fix = 'use one issuer for both, or know people by their email only';
  return [{ field: 'console.oidc.issuer', value: oidc.issuer, message, fix }];
}

function withMappings(sources: FileConfig['sources'], inDirectory: (path: string) => string): Sources {
  return Object.fromEntries(
    Object.entries(sources).map(([name, source]) =>
      source.type === 'json' && !isShippedMapping(source.mapping)
        ? [name, { ...source, mapping: inDirectory(source.mapping) }]
        : [name, source],
    ),
  );
}

function toolsetProblems(raw: unknown, settings: ConfigSource['toolsetSettings']): Problem[] {
  const toolsets = (raw as { toolsets?: unknown } | null)?.toolsets;
  if (toolsets === null || typeof toolsets !== 'object' || Array.isArray(toolsets)) return [];
  return Object.entries(toolsets).flatMap(([name, instance]) => {
    if (instance === null || typeof instance !== 'object') return [];
    const {
      uses,
      match: _match,
      manifests: _manifests,
      pins: _pins,
      remote: _remote,
      ...own
    } = instance as Record<string, unknown>;
    if (typeof uses !== 'string') return [];
    const schema = Object.hasOwn(settings, uses) ? settings[uses] : undefined;
    if (!schema) {
      const fix = `use one of ${Object.keys(settings).join(', ')}`;
      return [{ field: `toolsets.${name}.uses`, value: uses, message: 'there is no such toolset', fix }];
    }
    const parsed = schema.safeParse(own);
    return parsed.success ? [] : problemsOf(parsed.error, own, ['toolsets', name]);
  });
}

/** The toolset instances, with their files where they are. */
function toolsetsIn(
  toolsets: FileConfig['toolsets'],
  inDirectory: (path: string) => string,
  lockfile: string,
): Record<string, ToolsetInstanceConfig> {
  return Object.fromEntries(
    Object.entries(toolsets).map(([name, { manifests, pins, remote, ...instance }]) => [
      name,
      {
        ...instance,
        ...(manifests === undefined ? {} : { manifests: inDirectory(manifests) }),
        ...(pins === undefined ? {} : { pins: inDirectory(pins) }),
        ...(pins === undefined && instance.uses === 'mcp' ? { pins: lockfile } : {}),
        ...(remote === undefined
          ? {}
          : {
              remote: {
                address: remote.address,
                ca: inDirectory(remote.ca),
                certificate: inDirectory(remote.certificate),
                key: inDirectory(remote.key),
              },
            }),
      },
    ]),
  );
}

/** The models of the file, or those that the usual environment variables of the providers stand for. */
function modelsOf(declared: readonly ModelConfig[], env: ConfigSource['env'], problems: Problem[]): ModelConfig[] {
  if (declared.length > 0) return [...declared];
  return (['anthropic', 'openai'] as const).flatMap((provider) => {
    const prefix = provider.toUpperCase();
    const [apiKey, baseUrl] = [env[`${prefix}_API_KEY`], env[`${prefix}_BASE_URL`]];
    if (!apiKey && !baseUrl) return [];
    const model = env[`${prefix}_MODEL`] || DEFAULT_MODELS[provider];
    const given = { ...(apiKey ? { apiKey } : {}), ...(baseUrl ? { baseUrl } : {}) };
    const parsed = modelSchema.safeParse({ provider, model, timeoutSeconds: 60, ...given });
    if (parsed.success) return [parsed.data];
    // Of the three only an address can be wrong.
    const fix = 'write an http:// or https:// URL, or unset it';
    problems.push({ field: `${prefix}_BASE_URL`, value: baseUrl ?? '', message: 'is not a URL', fix });
    return [];
  });
}

function originOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url).origin;
}

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}

function specialistsIn(
  { specialists }: FileConfig['investigation'],
  inDirectory: (path: string) => string,
): { specialists?: string } {
  return specialists === undefined ? {} : { specialists: inDirectory(specialists) };
}
