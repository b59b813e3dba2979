import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type LabelledAlert, readLabelledAlerts } from '../../src/rag/index.ts';

/** The alerts, each set pooled over all corpora. */
export interface Alerts {
  /** As Alertmanager sends them. */
  readonly easy: readonly LabelledAlert[];
  /** Without the name that the runbook bears. */
  readonly hard: readonly LabelledAlert[];
  /** Those that no runbook there is for. */
  readonly noRunbook: readonly LabelledAlert[];
}

/** Reads `queries/NAME.jsonl`, `NAME.hard.jsonl` and `NAME.nogold.jsonl` of every corpus. */
export async function readAlerts(folder: string): Promise<Alerts> {
  const files = (await readdir(join(folder, 'queries'))).filter((file) => file.endsWith('.jsonl')).sort();
  const pooled = async (wanted: (file: string) => boolean) => {
    const texts = files.filter(wanted).map(async (file) => {
      const path = join(folder, 'queries', file);
      return readLabelledAlerts(path, await readFile(path, 'utf8'));
    });
    return (await Promise.all(texts)).flat();
  };
  return {
    easy: await pooled((file) => !/\.(?:hard|nogold)\.jsonl$/.test(file)),
    hard: await pooled((file) => file.endsWith('.hard.jsonl')),
    noRunbook: await pooled((file) => file.endsWith('.nogold.jsonl')),
  };
}

/** Makes a folder of that many runbooks out of those in another, several times over under other names where there are too few. */
export async function manyRunbooks(
  folder: string,
  count: number,
): Promise<{ folder: string; remove(): Promise<void> }> {
  const made = await mkdtemp(join(tmpdir(), 'nightshift-bench-'));
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.md')).sort();
  for (let n = 0; n < count; n += 1) {
    const file = files[n % files.length] ?? '';
    await cp(join(folder, file), join(made, `${Math.floor(n / files.length)}-${basename(file)}`));
  }
  return { folder: made, remove: () => rm(made, { recursive: true, force: true }) };
}
