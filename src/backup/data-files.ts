import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { NightshiftError } from '../errors.ts';
import type { DataFile } from './dump-lines.ts';

/** The newest heads of the audit's chain: unlike the others, it changes by itself all the time. */
export const AUDIT_HEAD = 'audit.head';
/** Small files of a data directory that no start could make again as they were. What is not here is made anew, or fetched. */
export const DATA_FILES = ['admin.token', 'webhook.token', 'clearance.key', 'kill-switch', AUDIT_HEAD] as const;

/** Reads the small files of a data directory that belong into a backup, or those that stand there under other names; they hold secrets. */
export function readDataFiles(dataDir: string, nameOf: (file: string) => string = (file) => file): DataFile[] {
  return DATA_FILES.flatMap((file) => {
    const path = join(dataDir, nameOf(file));
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.isFile() ? [{ file, mode: found.mode & 0o777, base64: readFileSync(path).toString('base64') }] : [];
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

/**
 * Writes the files of a backup beside where they belong, on the disk and with the permissions that they had, under names that tell which dump
 * they are of: they may take their places once its rows are committed, and not before.
 */
export async function stageDataFiles(dataDir: string, files: readonly DataFile[], sha256: string): Promise<void> {
  if (files.length === 0) return;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  for (const { file, mode, base64 } of files) {
    const path = join(dataDir, staged(file, sha256));
    rmSync(path, { force: true });
    writeFileSync(path, Buffer.from(base64, 'base64'), { mode, flag: 'wx', flush: true });
    // The mode of a new file is cut by the umask.
    chmodSync(path, mode);
  }
  await syncFolder(dataDir);
}

/** Gives the dumps, by their SHA-256, of which files wait to take their places. */
export function stagedDumps(dataDir: string): string[] {
  const found = readdirSync(dataDir).flatMap((name) => STAGED.exec(name)?.groups?.sha256 ?? []);
  return [...new Set(found)];
}

/**
 * Puts the files of a dump that wait where they belong; gives where the audit's heads before them are now, if there were others. It may be
 * done again when it was cut off. @throws NightshiftError `conflict` where another file is there by now.
 */
export async function placeDataFiles(dataDir: string, sha256: string): Promise<string | null> {
  const files = readDataFiles(dataDir, (name) => staged(name, sha256));
  checkDataFiles(dataDir, files);
  let kept: string | null = null;
  for (const { file, base64 } of files) {
    const path = join(dataDir, file);
    if (existsSync(path) && readFileSync(path).toString('base64') !== base64) {
      kept = `${path}.before-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`;
      renameSync(path, kept);
    }
    renameSync(join(dataDir, staged(file, sha256)), path);
  }
  if (files.length > 0) await syncFolder(dataDir);
  return kept;
}

const STAGED = /\.restored-(?<sha256>[0-9a-f]{64})$/;

function staged(file: string, sha256: string): string {
  return `${file}.restored-${sha256}`;
}

/** Makes sure that a power loss cannot take the names of files in a folder that are on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}
