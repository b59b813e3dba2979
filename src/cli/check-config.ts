import { isAbsolute, join, relative } from 'node:path';
import { parseDocument } from 'yaml';
import { type Config, type ConfigSource, parseConfig, readYamlText } from '../config/index.ts';
import { loadSpecialists } from '../diagnosis/index.ts';
import { messageOf, NightshiftError, type Problem } from '../errors.ts';
import { loadMappings } from '../ingest/index.ts';
import { type Catalogue, createCatalogue, TOOLSETS, unpinnedTools } from '../mcp-tools/index.ts';
import { combinePolicy, lintPolicy, loadPolicyTests, locateLint, readPolicyFiles } from '../policy/index.ts';
import { locate } from '../rag/index.ts';
import { lintSources } from './lint-sources.ts';
import { configSource, withShipped } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** What the files say together: every mistake with its place, what works for now, and in one line what they make. */
export interface CheckedConfig {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly summary: string;
  readonly unpinned: readonly string[];
}

/** Reads nightshift.yaml, the environment and every file that they name, and finds all mistakes at once; sends nothing, and opens no database. */
export async function checkConfig(terminal: Pick<Terminal, 'env' | 'directory'>): Promise<CheckedConfig> {
  const source = configSource(terminal);
  const { config, problems: own } = read(source);
  const wrongSections = new Set(own.map(({ field }) => sectionOf(field)));
  const further: Problem[] = [];
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      const none = { field: '(whole)', message: messageOf(error) };
      further.push(...(error instanceof NightshiftError && error.problems.length > 0 ? error.problems : [none]));
      return null;
    }
  };
  const isSound = (...sections: string[]) => sections.every((section) => !wrongSections.has(section));
  if (config === null) return { problems: own.map(nearer(terminal)), warnings: [], summary: '', unpinned: [] };

  // Each by itself, so that one does not hide another.
  for (const [name, mapped] of Object.entries(config.sources)) await attempt(() => loadMappings({ [name]: mapped }));
  const catalogue = isSound('toolsets') ? await catalogueOf(config, attempt) : null;
  if (catalogue) await attempt(() => loadSpecialists(config.investigation.specialists, catalogue));
  const found = await attempt(() => readPolicyFiles(config.policies));
  const files = found ?? [];
  const { policy, problems: wrongPolicy } = combinePolicy(files);
  further.push(...wrongPolicy);
  if (found) await attempt(() => loadPolicyTests(config.policies));
  if (catalogue && wrongPolicy.length === 0 && isSound('people')) {
    const { tools } = catalogue;
    const argumentsOf = (tool: string) => Object.keys(tools.get(tool)?.input.shape ?? {});
    const linted = lintPolicy(policy, { toolNames: [...tools.keys()], argumentsOf, people: config.people });
    further.push(...locateLint(linted, files));
  }
  if (catalogue && isSound('runbooks')) further.push(...(await runbookProblems(config, source, attempt)));

  const located = locateInFile(source);
  return {
    problems: [...own, ...further].map(located).map(nearer(terminal)),
    warnings: config.warnings.map(nearer(terminal)),
    unpinned: catalogue?.instances.flatMap(unpinnedTools) ?? [],
    summary: `mode ${config.mode}, ${Object.keys(config.toolsets).length} toolset instance(s), ${config.models.length} model(s), ${policy.rules.length} policy rule(s)`,
  };
}

type Attempt = <T>(work: () => T | Promise<T>) => Promise<T | null>;

/** The configuration, or what is left of it without the sections that have mistakes: those may hide others in the files that the rest names. */
function read(source: ConfigSource): { config: Config | null; problems: readonly Problem[] } {
  try {
    return { config: withShipped(parseConfig(source)), problems: [] };
  } catch (error) {
    if (!(error instanceof NightshiftError) || error.problems.length === 0) throw error;
    return { config: withoutSections(source, error.problems), problems: error.problems };
  }
}

function withoutSections(source: ConfigSource, problems: readonly Problem[]): Config | null {
  const document = parseDocument(source.file?.text ?? '');
  if (document.errors.length > 0) return null;
  const wrong = problems.map(({ field }) => sectionOf(field));
  const env = Object.fromEntries(Object.entries(source.env).filter(([name]) => !wrong.includes(name)));
  for (const section of wrong) if (document.has(section)) document.delete(section);
  try {
    const file = source.file && { ...source.file, text: document.toString() };
    const services = wrong.includes('services') ? { readFile: () => null } : {};
    return parseConfig({ ...source, env, file, ...services });
  } catch {
    return null;
  }
}

function sectionOf(field: string): string {
  return field.split('.')[0] ?? '';
}

async function catalogueOf({ toolsets }: Config, attempt: Attempt): Promise<Catalogue | null> {
  const each = Object.entries(toolsets).map(([name, instance]) =>
    attempt(() => createCatalogue(TOOLSETS, { [name]: instance })),
  );
  if ((await Promise.all(each)).includes(null)) return null;
  return attempt(() => createCatalogue(TOOLSETS, toolsets));
}

/** Without a nightshift.yaml the folder of runbooks need not be there yet. */
async function runbookProblems(config: Config, source: ConfigSource, attempt: Attempt): Promise<Problem[]> {
  const linted = await attempt(() => lintSources(config));
  const isNamed = readYamlText(source.file ?? { path: '', text: '' });
  const named = Object.hasOwn((isNamed.raw ?? {}) as object, 'runbooks');
  return (linted?.findings ?? [])
    .filter(({ severity, rule }) => severity === 'error' && (rule !== 'source' || named))
    .map(
      ({ path, line, severity: _, rule, ...problem }): Problem =>
        rule === 'source' ? problem : { at: { file: fileOf(config, path), line }, ...problem },
    );
}

function fileOf({ runbooks }: Config, path: string): string {
  const found = locate(runbooks, path);
  return found ? join(found.folder, found.rest) : path;
}

/** What another file showed to be wrong with a setting stands where the setting does. */
function locateInFile({ file }: ConfigSource) {
  const text = file && readYamlText(file);
  const sections = new Set(Object.keys((text?.raw ?? {}) as object));
  return (problem: Problem): Problem =>
    text && !problem.at && sections.has(sectionOf(problem.field))
      ? { at: text.placeOf(problem.field), ...problem }
      : problem;
}

/** Files of this folder by their names here. */
function nearer({ directory }: Pick<Terminal, 'directory'>) {
  return ({ at, ...problem }: Problem): Problem => {
    if (!at) return problem;
    const near = isAbsolute(at.file) ? relative(directory, at.file) : at.file;
    return { at: { ...at, file: near.startsWith('..') ? at.file : near }, ...problem };
  };
}
