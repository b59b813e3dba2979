import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { problemsOf, readYamlText } from '../config/index.ts';
import { describeProblems, messageOf, NightshiftError, type Place, type Problem } from '../errors.ts';

interface Parsed<T> {
  /** Null where there are problems. */
  readonly data: T | null;
  readonly raw: unknown;
  readonly problems: readonly Problem[];
  readonly placeOf: (field: string) => Place;
}

/**
 * Reads one YAML file by a schema; where anything is wrong in it, gives every mistake with place, field, value and fix. `fixes` says how to
 * mend what stands under a key, where the mistake itself does not say.
 */
export function readYaml<T>(
  path: string,
  text: string,
  schema: z.ZodType<T>,
  fixes: ReadonlyMap<string, string> = new Map(),
): Parsed<T> {
  const { raw, problems: broken, placeOf } = readYamlText({ path, text });
  if (broken.length > 0) return { data: null, raw, problems: broken, placeOf };
  const parsed = schema.safeParse(raw);
  if (parsed.success) return { data: parsed.data, raw, problems: [], placeOf };
  const problems = parsed.error.issues.flatMap((issue) =>
    problemsOf(new z.ZodError([issue]), raw, { schema }).map(
      (problem): Problem => ({ at: placeOf(problem.field), fix: fixOf(issue, fixes), ...problem }),
    ),
  );
  return { data: null, raw, problems, placeOf };
}

function fixOf(issue: z.core.$ZodIssue, fixes: ReadonlyMap<string, string>): string {
  if (issue.code === 'custom' && issue.params?.fix !== undefined) return String(issue.params.fix);
  const key = String(issue.path.findLast((part) => typeof part === 'string'));
  return fixes.get(key) ?? 'write it as docs/policy.md does';
}

/**
 * Reads the policy files, or the files of their tests (`*.test.yaml`), of some folders, in the order of their names.
 * @throws NightshiftError `invalid_policy` when a folder cannot be read.
 */
export async function readFolders(
  folders: readonly string[],
  kind: 'policy' | 'tests',
): Promise<{ path: string; text: string }[]> {
  const paths = (await Promise.all(folders.map(filesIn))).flat();
  return Promise.all(
    paths
      .filter((path) => /\.test\.ya?ml$/.test(path) === (kind === 'tests'))
      .map(async (path) => ({ path, text: await readFile(path, 'utf8') })),
  );
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => /\.ya?ml$/.test(name))
      .sort()
      .map((name) => join(folder, name));
  } catch (cause) {
    const fix = 'create the folder, or correct policies: in nightshift.yaml';
    const problem = { field: 'policies', message: `cannot read ${folder}: ${messageOf(cause)}`, fix };
    throw new NightshiftError('invalid_policy', describeProblems([problem]), { cause, problems: [problem] });
  }
}

/** Makes the one error that lists every mistake of the policy or of its tests. */
export function invalidPolicy(problems: readonly Problem[], where: string): NightshiftError {
  return new NightshiftError(
    'invalid_policy',
    `${problems.length} mistake(s) in ${where}:\n${describeProblems(problems)}`,
    { problems },
  );
}
