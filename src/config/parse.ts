import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { describeProblems, NightshiftError, type Problem } from '../errors.ts';
import { crossCheck } from './cross-checks.ts';
import { type Environment, modelsOf, SECRET_VARIABLES, variablesOf, withSecretFiles } from './environment.ts';
import { modelNameProblems } from './models.ts';
import { nearestName } from './nearest.ts';
import { specialistsIn, toolsetsIn, withMappings } from './paths.ts';
import { type FilledPlaces, fillPlaceholders, parseFilled, placeholderNames } from './placeholders.ts';
import { problemsOf } from './problems.ts';
import { moveRenamed, RENAMED_SETTINGS, type RenamedSetting } from './renamed.ts';
import { type RunbookRemote, runbookSources } from './runbooks.ts';
import { type FileConfig, fileSchema, toolsetInstanceSchema } from './schema.ts';
import { NO_SERVICES, parseServices, type Services } from './services.ts';
import type { Sources } from './sources.ts';
import { type TracingConfig, tracingOf } from './tracing.ts';
import { readYamlText } from './yaml-text.ts';

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
  /** Settings that are still read, and will not be for ever. */
  readonly warnings: readonly Problem[];
}

export interface ConfigSource {
  readonly env: Environment;
  /** The configuration file, or null where there is none. */
  readonly file: { readonly path: string; readonly text: string } | null;
  /** Settings schema of each toolset by name, so that its mistakes are reported with all the others. */
  readonly toolsetSettings: Readonly<Record<string, z.ZodType>>;
  /** Reads a further file that belongs to the configuration; null where there is none. Left out, there are none. */
  readonly readFile?: (path: string) => string | null;
  /** Reads the file that a NAME_FILE of the environment names, or throws. */
  readonly readSecret?: (path: string) => string;
  /** Settings that have another name now; those of this version where it is left out. */
  readonly renamed?: readonly RenamedSetting[];
  /** Relative paths start here. */
  readonly directory: string;
}

/**
 * Reads file and environment into one frozen configuration.
 * @throws NightshiftError `invalid_config` listing every mistake at once, with place, field, value and fix.
 */
export function parseConfig(source: ConfigSource): Config {
  const text = source.file && readYamlText(source.file);
  const { env, problems: unread } = withSecretFiles(source.env, {
    names: [...SECRET_VARIABLES, ...placeholderNames(source.file?.text ?? '')],
    readSecret: (path) => (source.readSecret ?? readNothing)(resolve(source.directory, path)),
  });
  const unfilled: Problem[] = [];
  const { value: raw, filled } = fillPlaceholders(text?.raw ?? {}, env, unfilled);
  const { warnings, problems: renamedTwice } = moveRenamed(raw, source.renamed ?? RENAMED_SETTINGS);
  const isYaml = text === null || text.problems.length === 0;
  const inFile = [...renamedTwice, ...toolsetProblems(raw, filled, source.toolsetSettings)];
  const parsed = parseFilled(fileSchema, { raw, filled, prefix: [], input: raw });
  inFile.push(
    ...(parsed.success
      ? crossCheck(parsed.data, source.directory)
      : problemsOf(parsed.error, raw, { schema: fileSchema })),
  );
  const models = modelsOf(parsed.data?.models ?? [], env);
  if (parsed.success) inFile.push(...modelNameProblems(models.models, parsed.data.routing));
  const services = readServices(raw, source, isYaml);
  inFile.push(...services.missing);

  const outside = [...unread, ...services.problems, ...models.problems];
  const tracing = parsed.success ? tracingOf(parsed.data.tracing, env, outside) : null;
  const { port, logLevel, problems: wrongVariables } = variablesOf(env);
  outside.push(...wrongVariables);
  const isUnfilled = new Set(unfilled.map(({ field }) => field));
  const located = (problem: Problem): Problem => (text ? { at: text.placeOf(problem.field), ...problem } : problem);
  const problems = [
    ...(text?.problems ?? []),
    // What an unset variable leaves behind is wrong because of that alone.
    ...[...unfilled, ...inFile.filter(({ field }) => !isUnfilled.has(field))].map(located).sort(byPlace),
    ...outside,
  ];
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
  const dataDir = inDirectory(env.NIGHTSHIFT_DATA_DIR || file.dataDir);
  return deepFreeze({
    ...file,
    services: services.services,
    sources: withMappings(file.sources, inDirectory),
    configured: source.file !== null,
    console: { ...file.console, publicUrl: file.console.publicUrl ?? originOf(file.slack?.publicUrl) },
    server: { ...file.server, host: env.NIGHTSHIFT_HOST || file.server.host, port: port ?? file.server.port },
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
    models: models.models,
    tracing,
    investigation: { ...file.investigation, ...specialistsIn(file.investigation, inDirectory) },
    databaseUrl: env.DATABASE_URL || null,
    logLevel,
    warnings: warnings.map(located),
  });
}

const byPlace = (a: Problem, b: Problem) =>
  (a.at?.line ?? 0) - (b.at?.line ?? 0) || (a.at?.column ?? 0) - (b.at?.column ?? 0);

function readNothing(path: string): string {
  throw new Error(`nothing can read ${path}`);
}

/** A file that stands beside the configuration file, or where that would stand. */
function besideFile({ directory, file }: ConfigSource, name: string): string {
  return join(resolve(directory, file ? dirname(file.path) : '.'), name);
}

/** Reads the file that `services:` names, or services.yaml beside the configuration file where there is one. */
function readServices(raw: unknown, source: ConfigSource, isYaml: boolean) {
  const none = { services: NO_SERVICES, problems: [], missing: [] };
  const { services: named, people } = (raw ?? {}) as { services?: unknown; people?: unknown };
  if (named !== undefined && typeof named !== 'string') return none;
  const path = named === undefined ? besideFile(source, 'services.yaml') : resolve(source.directory, named);
  const text = source.readFile?.(path) ?? null;
  if (text === null) {
    const fix = 'correct the path, or remove it';
    const missing = { field: 'services', value: path, message: 'there is no such file', fix };
    return { ...none, missing: named === undefined ? [] : [missing] };
  }
  const known = fileSchema.shape.people.safeParse(people);
  return { ...none, ...parseServices({ path, text, people: isYaml && known.success ? known.data : null }) };
}

function toolsetProblems(raw: unknown, filled: FilledPlaces, settings: ConfigSource['toolsetSettings']): Problem[] {
  const toolsets = (raw as { toolsets?: unknown } | null)?.toolsets;
  if (toolsets === null || typeof toolsets !== 'object' || Array.isArray(toolsets)) return [];
  const common = Object.keys(toolsetInstanceSchema.shape);
  return Object.entries(toolsets).flatMap(([name, instance]) => {
    if (instance === null || typeof instance !== 'object') return [];
    const { uses } = instance as { uses?: unknown };
    if (typeof uses !== 'string') return [];
    const schema = Object.hasOwn(settings, uses) ? settings[uses] : undefined;
    if (!schema) {
      const near = nearestName(uses, Object.keys(settings));
      const fix = near ? `write ${near}` : `use one of ${Object.keys(settings).join(', ')}`;
      return [{ field: `toolsets.${name}.uses`, value: uses, message: 'there is no such toolset', fix }];
    }
    const own = Object.fromEntries(Object.entries(instance).filter(([key]) => !common.includes(key)));
    const prefix = ['toolsets', name];
    const parsed = parseFilled(schema, { raw, filled, prefix, input: own });
    return parsed.success ? [] : problemsOf(parsed.error, own, { prefix, schema, further: common });
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
