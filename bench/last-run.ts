import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import type { Measure } from './measure.ts';

const FOLDER = join(import.meta.dirname, 'results');

/** A run that was kept, with what the machine was like. */
export interface Run {
  readonly at: string;
  readonly node: string;
  readonly cpus: number;
  readonly load: number;
  readonly measures: readonly Measure[];
}

/** Gives the last run of a benchmark that was kept, or null where there is none. */
export function lastRun(bench: string): Run | null {
  try {
    return JSON.parse(readFileSync(fileOf(bench), 'utf8')) as Run;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Keeps a run in place of the one before, for the next to be compared with. */
export function keepRun(bench: string, measures: readonly Measure[]): void {
  const run: Run = {
    at: new Date().toISOString(),
    node: process.version,
    cpus: availableParallelism(),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    measures: measures,
  };
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(fileOf(bench), `${JSON.stringify(run, null, 2)}\n`);
}

function fileOf(bench: string): string {
  return join(FOLDER, `${bench}.json`);
}
