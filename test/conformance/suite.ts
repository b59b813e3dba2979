import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from './run-program.ts';

const SUITE = join(import.meta.dirname, '../../node_modules/.bin/conformance');
/** The last version of the specification that the SDK's first line speaks. */
const SPEC = '2025-11-25';
const SECONDS_MAX = 120;

interface Check {
  readonly status: string;
  readonly name: string;
  readonly errorMessage?: string;
}

/** What came of one scenario of the official suite. */
export interface Scenario {
  readonly name: string;
  readonly passed: number;
  readonly failures: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Runs every server scenario of the official suite that applies to this version of the specification, without expected failures.
 * @throws Error when the suite does not run, or leaves scenarios out.
 */
export async function runSuite(url: string, folder: string): Promise<Scenario[]> {
  const program = { seconds: SECONDS_MAX, env: process.env, cwd: folder };
  const { out: listed } = await runProgram(SUITE, ['list', '--server', '--spec-version', SPEC], program);
  const names = [...listed.matchAll(/^ {2}- (\S+)/gm)].map(([, name = '']) => name);
  const args = ['server', '--url', url, '--suite', 'all', '--spec-version', SPEC, '--output-dir', folder];
  const { status, out, err } = await runProgram(SUITE, args, program);
  const results = await readdir(folder);
  const scenarios = await Promise.all(
    names.map(async (name): Promise<Scenario> => {
      const result = results.find((one) => one.startsWith(`server-${name}-2`));
      if (!result) return { name, passed: 0, failures: ['the suite did not run it'], warnings: [] };
      const checks = JSON.parse(await readFile(join(folder, result, 'checks.json'), 'utf8')) as Check[];
      const of = (wanted: string) =>
        checks
          .filter((check) => check.status === wanted)
          .map((check) => `${check.name}: ${check.errorMessage ?? 'no reason given'}`);
      return { name, passed: of('SUCCESS').length, failures: of('FAILURE'), warnings: of('WARNING') };
    }),
  );
  const isFailed = scenarios.some(({ failures }) => failures.length > 0);
  if (names.length === 0 || (status !== 0 && !isFailed))
    throw new Error(`the suite ended with ${status}:\n${out}${err}`);
  return scenarios;
}
