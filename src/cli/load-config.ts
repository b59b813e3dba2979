import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { type Config, type ConfigSource, parseConfig, withSecretFiles } from '../config/index.ts';
import { describeProblems, messageOf, NightshiftError } from '../errors.ts';
import { TOOLSETS } from '../mcp-tools/index.ts';
import type { Terminal } from './terminal.ts';

const DEFAULT_FILE = 'nightshift.yaml';
/** Where the policy and the runbooks of a clone and of the npm package are. */
const SHIPPED = join(import.meta.dirname, '../..');

/**
 * Finds and reads the configuration: the file that NIGHTSHIFT_CONFIG names, or else nightshift.yaml here, or else none.
 * @throws NightshiftError `invalid_config` with every mistake.
 */
export function loadConfig(terminal: Pick<Terminal, 'env' | 'directory'>): Config {
  return parseConfig(configSource(terminal));
}

/** Gives the configuration for whoever only reads what it names: where nobody has configured anything, with the policy and the runbooks that ship in place of folders that are not there. */
export function withShipped(config: Config): Config {
  // A policy of somebody's own that is gone must not be replaced.
  if (config.configured) return config;
  const orShipped = (folder: string) => (existsSync(folder) ? folder : join(SHIPPED, basename(folder)));
  return Object.freeze({
    ...config,
    policies: config.policies.map(orShipped),
    runbooks: config.runbooks.map(orShipped),
  });
}

/** Gives all that the configuration is read from, as `loadConfig` does. @throws NightshiftError `invalid_config` where the file cannot be read. */
export function configSource({ env, directory }: Pick<Terminal, 'env' | 'directory'>): ConfigSource {
  // As everywhere, an empty variable counts as none: that is what a compose file makes of one that is not set.
  const named = env.NIGHTSHIFT_CONFIG || undefined;
  const path = resolve(directory, named ?? DEFAULT_FILE);
  const toolsetSettings = Object.fromEntries(
    Object.entries(TOOLSETS).map(([name, toolset]) => [name, toolset.settings]),
  );
  const readFurther = (further: string) => readFile(further, false)?.text ?? null;
  return {
    env,
    directory,
    toolsetSettings,
    file: readFile(path, named !== undefined),
    readFile: readFurther,
    readSecret: (secret) => readFileSync(secret, 'utf8'),
  };
}

function readFile(path: string, required: boolean): { path: string; text: string } | null {
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !required) return null;
    throw new NightshiftError(
      'invalid_config',
      `cannot read ${path}: ${messageOf(error)}. Fix: correct NIGHTSHIFT_CONFIG, or the file's permissions`,
      { cause: error },
    );
  }
}

/**
 * Gives a secret of the environment, or what stands in the file that NAME_FILE names.
 * @throws NightshiftError `invalid_config` where both are set, or the file cannot be read.
 */
export function secretOf({ env, directory }: Pick<Terminal, 'env' | 'directory'>, name: string): string | undefined {
  const readSecret = (path: string) => readFileSync(resolve(directory, path), 'utf8');
  const { env: filled, problems } = withSecretFiles(env, { names: [name], readSecret });
  if (problems.length > 0) throw new NightshiftError('invalid_config', describeProblems(problems), { problems });
  return filled[name];
}

/** Gives the data directory that a server started here would use, even where the rest of the configuration is not in order. */
export function dataDirOf({ env, directory }: Pick<Terminal, 'env' | 'directory'>): string {
  return resolve(
    directory,
    env.NIGHTSHIFT_DATA_DIR ||
      (declaredDataDir(resolve(directory, env.NIGHTSHIFT_CONFIG || DEFAULT_FILE)) ?? '.nightshift'),
  );
}

function declaredDataDir(path: string): string | null {
  try {
    const { dataDir } = parse(readFileSync(path, 'utf8')) as { dataDir?: unknown };
    return typeof dataDir === 'string' ? dataDir : null;
  } catch {
    return null;
  }
}
