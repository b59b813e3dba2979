import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Score } from './score.ts';

const FOLDER = 'results';

const scoreSchema = z.object({
  scenario: z.string(),
  repeat: z.number(),
  cause: z.boolean(),
  citations: z.object({ grounded: z.number(), all: z.number() }),
  unsupported: z.boolean(),
  plan: z.boolean(),
  violations: z.array(z.string()),
  outcome: z.boolean(),
  ended: z.string(),
  costUsd: z.number().nullable(),
  diagnosedMs: z.number().nullable(),
  endedMs: z.number().nullable(),
  unrecorded: z.array(z.string()),
  failure: z.string().nullable(),
});

const resultsSchema = z.object({
  v: z.literal(1),
  at: z.string(),
  columns: z.record(z.string(), z.array(scoreSchema)),
});

/** One run of a suite: every score, by column. */
export interface Results {
  readonly v: 1;
  /** When it ended, in ISO 8601. */
  readonly at: string;
  readonly columns: Readonly<Record<string, readonly Score[]>>;
}

/** Gives the last kept run of a suite that has one of these columns, or null where there is none; a file in another form is passed over. */
export function lastResults(suite: string, columns: readonly string[]): { file: string; results: Results } | null {
  let files: string[];
  try {
    files = readdirSync(join(suite, FOLDER)).filter((file) => file.endsWith('.json'));
  } catch {
    return null;
  }
  for (const file of files.sort().reverse()) {
    const parsed = resultsSchema.safeParse(readJson(join(suite, FOLDER, file)));
    if (parsed.success && columns.some((name) => Object.hasOwn(parsed.data.columns, name)))
      return { file, results: parsed.data };
  }
  return null;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Keeps a run under its suite, in a file named after when it was; gives the file's path. */
export function keepResults(suite: string, results: Results): string {
  const folder = join(suite, FOLDER);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${results.at.replaceAll(':', '-').slice(0, 19)}Z.json`);
  writeFileSync(path, `${JSON.stringify(results, null, 1)}\n`);
  return path;
}
