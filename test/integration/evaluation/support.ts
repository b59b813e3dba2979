/** Suites of two scenarios, written anew for each test, and the command line that runs them. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { startApp } from '../../../src/app.ts';
import { runCli } from '../../../src/cli/index.ts';
import type { StartNightshift } from '../../../src/evaluation/index.ts';

const SCENARIOS = join(import.meta.dirname, '../../../scenarios');

export interface Suite {
  readonly folder: string;
  /** Changes one scenario's file. */
  edit(name: string, change: (file: Record<string, never>) => void): void;
  remove(): void;
}

/** Copies these scenarios into a suite of their own. */
export function copySuite(...names: readonly string[]): Suite {
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-suite-'));
  for (const name of names) cpSync(join(SCENARIOS, name), join(folder, name), { recursive: true });
  return {
    folder,
    edit(name, change) {
      const path = join(folder, name, 'scenario.yaml');
      const file = parse(readFileSync(path, 'utf8')) as Record<string, never>;
      change(file);
      writeFileSync(path, stringify(file));
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Runs `nightshift` with these arguments in a folder, and gives its exit code and all that it wrote. */
export async function cli(
  argv: readonly string[],
  {
    directory,
    env = {},
    start = startApp,
    ask,
  }: {
    directory: string;
    env?: Record<string, string>;
    start?: StartNightshift;
    ask?: (question: string) => Promise<boolean>;
  },
): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await runCli({
    argv,
    env,
    directory,
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
    startNightshift: start,
    ...(ask ? { ask } : {}),
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}
