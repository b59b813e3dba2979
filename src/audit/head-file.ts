import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Gives the path of the file in which a data directory keeps the heads of its audit. */
export function headFileIn(dataDir: string): string {
  return join(dataDir, 'audit.head');
}

/**
 * Reads the heads that a sealer has left in a file, one a line; gives none where there is no such file. Each of them must be in
 * the chain: the last line is the newest, and any before it was missing when the next was written.
 */
export function readHeads(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').match(/^[0-9a-f]{64}$/gm) ?? [];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Writes the heads so that a reader finds either the old ones or the new ones, and never half a line. */
export function writeHeads(path: string, heads: readonly string[]): void {
  writeFileSync(`${path}.new`, heads.map((head) => `${head}\n`).join(''), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
