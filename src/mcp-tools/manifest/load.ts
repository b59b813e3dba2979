import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
// Not the whole room: every toolset's process keeps what this loads in memory.
import { problemsOf } from '../../config/problems.ts';
import { readYamlText } from '../../config/yaml-text.ts';
import { describeProblems, messageOf, NightshiftError, type Place, type Problem } from '../../errors.ts';
import { isPartlyFilled, placeholdersIn } from './fill.ts';
import { looksThatChange } from './looks.ts';
import { isChange, type Manifest, safeParseManifest } from './manifest.ts';

/**
 * Reads every manifest (`*.yaml`) of a folder, in the order of their names.
 * @throws NightshiftError `invalid_config` naming the file and every field that is missing or wrong.
 */
export function loadManifests(directory: string): Manifest[] {
  const files = readdirSync(directory)
    .filter((file) => file.endsWith('.yaml'))
    .sort();
  return files.map((file) => parseManifest(join(directory, file), readFileSync(join(directory, file), 'utf8')));
}

/**
 * Reads the manifests that an operator keeps in a folder for one instance.
 * @throws NightshiftError `invalid_config` where the folder cannot be read, and with every mistake in every file of it.
 */
export function readManifests(instance: string, directory: string): Manifest[] {
  let files: string[];
  try {
    files = readdirSync(directory).filter((file) => /\.ya?ml$/.test(file));
  } catch (cause) {
    const field = `toolsets.${instance}.manifests`;
    const problem = { field, value: directory, message: `cannot be read: ${messageOf(cause)}`, fix: 'name a folder' };
    throw new NightshiftError('invalid_config', describeProblems([problem]), { cause, problems: [problem] });
  }
  const problems: Problem[] = [];
  const messages: string[] = [];
  const manifests = files.sort().flatMap((file) => {
    try {
      const path = join(directory, file);
      return [parseManifest(path, readFileSync(path, 'utf8'))];
    } catch (error) {
      messages.push(messageOf(error));
      if (error instanceof NightshiftError) problems.push(...error.problems);
      return [];
    }
  });
  if (messages.length > 0) throw new NightshiftError('invalid_config', messages.join('\n'), { problems });
  return manifests;
}

/** Parses one manifest. @throws NightshiftError `invalid_config` naming the file and every field that is missing or wrong. */
export function parseManifest(file: string, text: string): Manifest {
  const { raw: value, problems: broken, placeOf } = readYamlText({ path: file, text });
  if (broken.length > 0) throw invalid(file, broken, placeOf);
  const parsed = safeParseManifest(value);
  if (!parsed.success) throw invalid(file, problemsOf(parsed.error, value), placeOf);
  const problems = [...strayPlaceholders(parsed.data), ...partlyFilled(parsed.data), ...looksThatChange(parsed.data)];
  if (problems.length > 0) throw invalid(file, problems, placeOf);
  return parsed.data;
}

/** What is filled in must be declared, or a misspelt argument would silently be left out of the request. */
function strayPlaceholders(manifest: Manifest): Problem[] {
  const declared = new Set(Object.keys(manifest.arguments));
  const stray = (field: string, template: unknown, also: (name: string) => boolean = () => false): Problem[] =>
    placeholdersIn(template)
      .filter((name) => !declared.has(name) && !also(name))
      .map((name) => ({
        field,
        value: name,
        message: `fills in ${name}, which is no argument of this tool`,
        fix: `declare ${name} under arguments`,
      }));
  const isNow = (name: string) => name === 'now';
  const isBefore = (name: string) => name.startsWith('before.');
  const isGiven = (name: string) => isBefore(name) || name.startsWith('result.');
  const isEither = (name: string) => isNow(name) || isBefore(name);
  return [
    ...stray('target', manifest.target),
    ...stray('request', manifest.request, isChange(manifest) ? isEither : isNow),
    ...Object.keys(manifest.scope ?? {})
      .filter((name) => !declared.has(name))
      .map((name) => ({
        field: 'scope',
        value: name,
        message: 'is no argument of this tool',
        fix: 'name an argument',
      })),
    ...(isChange(manifest)
      ? [
          ...stray('inspect.request', manifest.inspect?.request, isNow),
          ...stray('dryRun', manifest.dryRun, isEither),
          ...stray('check.with', manifest.check?.with, isGiven),
          ...stray('inverse.with', manifest.inverse?.with, isGiven),
        ]
      : []),
  ];
}

/** A placeholder is a whole value, or a whole segment of a path, so that no argument can be more than one. */
function partlyFilled(manifest: Manifest): Problem[] {
  const parts: [string, unknown][] = [
    ['request', manifest.request],
    ...(isChange(manifest)
      ? [
          ['inspect.request', manifest.inspect?.request] as [string, unknown],
          ['dryRun', manifest.dryRun] as [string, unknown],
          ['check.with', manifest.check?.with] as [string, unknown],
          ['inverse.with', manifest.inverse?.with] as [string, unknown],
        ]
      : []),
  ];
  return parts.flatMap(([field, template]) =>
    textsOf(template)
      .filter((text) => (text.startsWith('/') ? text.split('/') : [text]).some(isPartlyFilled))
      .map((value) => ({
        field,
        value,
        message: 'has a placeholder with something beside it',
        fix: 'fill in whole values: let the argument hold all of it',
      })),
  );
}

function textsOf(template: unknown): string[] {
  if (typeof template === 'string') return [template];
  return template !== null && typeof template === 'object' ? Object.values(template).flatMap(textsOf) : [];
}

function invalid(file: string, problems: readonly Problem[], placeOf: (field: string) => Place): NightshiftError {
  const located = problems.map((problem): Problem => ({ at: placeOf(problem.field), ...problem }));
  return new NightshiftError('invalid_config', `${file} is no tool manifest: ${describeProblems(located)}`, {
    problems: located,
  });
}
