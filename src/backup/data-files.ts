import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NightshiftError } from '../errors.ts';
import type { DataFile } from './dump-lines.ts';

/** The newest heads of the audit's chain: unlike the others, it changes by itself all the time. */
export const AUDIT_HEAD = 'audit.head';
/** Small files of a data directory that no start could make again as they were. What is not here is made anew, or fetched. */
export const DATA_FILES = ['admin.token', 'webhook.token', 'clearance.key', 'kill-switch', AUDIT_HEAD] as const;

/** Reads the small files of a data directory that belong into a backup; they hold secrets. */
export function readDataFiles(dataDir: string): DataFile[] {
  return DATA_FILES.filter((name) => statSync(join(dataDir, name), { throwIfNoEntry: false })?.isFile()).map((file) => {
    const path = join(dataDir, file);
    return { file, mode: statSync(path).mode & 0o777, base64: readFileSync(path).toString('base64') };
  });
}

/**
 * Refuses files that would overwrite others, and such as no backup of ours holds. What the audit's heads were is kept aside instead.
 * @throws NightshiftError `conflict` or `invalid_backup`, before anything is changed.
 */
export function checkDataFiles(dataDir: string, files: readonly DataFile[]): void {
  const foreign = files.filter(({ file }) => !(DATA_FILES as readonly string[]).includes(file));
  if (foreign.length > 0) {
    const names = foreign.map(({ file }) => JSON.stringify(file)).join(', ');
    throw new NightshiftError(
      'invalid_backup',
      `this backup holds files that this Nightshift does not know: ${names}. Fix: restore it with the version that made it`,
    );
  }
  const others = files.filter(
    ({ file, base64 }) =>
      file !== AUDIT_HEAD &&
      existsSync(join(dataDir, file)) &&
      readFileSync(join(dataDir, file)).toString('base64') !== base64,
  );
  if (others.length === 0) return;
  const names = others.map(({ file }) => join(dataDir, file)).join(' and ');
  throw new NightshiftError(
    'conflict',
    `${names} would be overwritten by what is in the backup. Fix: move that away, or restore into another data directory (NIGHTSHIFT_DATA_DIR)`,
  );
}

/** Writes the files of a backup with the permissions that they had; gives where the audit's heads before them are now, if there were others. */
export function writeDataFiles(dataDir: string, files: readonly DataFile[], at: Date): string | null {
  let kept: string | null = null;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  for (const { file, mode, base64 } of files) {
    const path = join(dataDir, file);
    const content = Buffer.from(base64, 'base64');
    if (existsSync(path) && readFileSync(path).equals(content)) continue;
    if (existsSync(path)) {
      kept = `${path}.before-${at.toISOString().replace(/[-:]|\.\d+/g, '')}`;
      renameSync(path, kept);
    }
    writeFileSync(path, content, { mode, flag: 'wx' });
    // The mode of a new file is cut by the umask.
    chmodSync(path, mode);
  }
  return kept;
}
