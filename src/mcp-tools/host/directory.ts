import { constants } from 'node:fs';
import { lstat, open, opendir, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../errors.ts';
import { toolFailed } from '../tool.ts';
import { matchesFilePattern } from './file-pattern.ts';
import type { DirectoryRule, HostSettings } from './settings.ts';

/** Entries looked at in one call; a directory with more is worked off over several. */
const ENTRIES_MAX = 500_000;
const LSTAT_AT_ONCE = 64;

/** A declared directory, held open. */
export interface Directory {
  readonly name: string;
  readonly rule: DirectoryRule;
  /** Path of the directory that was checked, even if its name comes to mean another one meanwhile. */
  readonly base: string;
  /** Device, inode and birth: another for a directory that was made anew, where a file system gives a freed inode out again. */
  readonly uid: string;
}

export interface FoundFile {
  readonly name: string;
  readonly bytes: number;
  readonly modifiedAtMs: number;
}

export interface Survey {
  /** Files that match pattern and age, oldest first. */
  readonly files: readonly FoundFile[];
  /** Those of them that one purge deletes. */
  readonly chosen: readonly FoundFile[];
  /** Entries left alone: other names, too young, or not regular files. */
  readonly kept: number;
  /** False where the directory has more entries than one call looks at, or than there was time for. */
  readonly complete: boolean;
}

/**
 * Opens a declared directory, makes sure that it is the very one declared, and works on it.
 * @throws NightshiftError `tool_failed` where the name is not declared, or the path is missing, unreadable or leads elsewhere.
 */
export async function inDirectory<T>(
  name: string,
  settings: HostSettings,
  work: (directory: Directory) => Promise<T>,
): Promise<T> {
  const rule = declaredRule(name, settings);
  const actual = await realpath(rule.path).catch((cause) => Promise.reject(unusable(name, rule.path, cause)));
  if (actual !== rule.path) throw leadsElsewhere(name, rule.path, actual);
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const handle = await open(rule.path, flags).catch((cause) => Promise.reject(unusable(name, rule.path, cause)));
  try {
    const { dev, ino, birthtimeNs } = await handle.stat({ bigint: true });
    const uid = `${dev}:${ino}:${birthtimeNs}`;
    if (process.platform !== 'linux') return await work({ name, rule, base: rule.path, uid });
    // Between check and use somebody could put a link in the directory's place; the open one cannot be swapped.
    const base = `/proc/self/fd/${handle.fd}`;
    const opened = await readlink(base);
    if (opened !== rule.path) throw leadsElsewhere(name, rule.path, opened);
    return await work({ name, rule, base, uid });
  } finally {
    await handle.close();
  }
}

/** Gives the rule of a declared directory. @throws NightshiftError `tool_failed` where the name is not declared. */
export function declaredRule(name: string, { directories }: HostSettings): DirectoryRule {
  const rule = Object.hasOwn(directories, name) ? directories[name] : undefined;
  if (rule) return rule;
  const declared = Object.keys(directories).join(', ') || 'none is';
  const fix = 'use one of these names, or declare it in the setting `directories` of this toolset';
  throw toolFailed(`directory ${name} is not declared (${declared})`, { fix });
}

/** Makes the failure of a directory that cannot be worked on. */
export function unusable(name: string, path: string, cause: unknown) {
  const fix = 'check that it exists, and that the user Nightshift runs as may read it';
  return toolFailed(`directory ${name} (${path}) cannot be opened: ${messageOf(cause)}`, { cause, fix });
}

/** Makes the failure of a directory whose path is not where it really is. */
export function leadsElsewhere(name: string, path: string, actual: string) {
  const fix = `declare the real path ${actual} instead, if it is the one that is meant`;
  return toolFailed(`directory ${name} (${path}) is reached through a symbolic link`, { fix });
}

/**
 * Finds the files directly inside the directory that match its rule; never follows a link, never looks further down. After
 * `withinMs` it makes do with what it has seen.
 * @throws NightshiftError `tool_failed` when `signal` aborts.
 */
export async function survey(
  directory: Directory,
  signal: AbortSignal,
  { withinMs = Number.POSITIVE_INFINITY }: { withinMs?: number } = {},
): Promise<Survey> {
  const startedAt = performance.now();
  const files: FoundFile[] = [];
  const now = Date.now();
  let kept = 0;
  let seen = 0;
  let complete = true;
  let names: string[] = [];
  const look = async () => {
    const found = await Promise.all(names.map((name) => eligibleFile(directory, name, now)));
    names = [];
    for (const file of found) {
      if (file === 'kept') kept += 1;
      else if (file !== 'gone') files.push(file);
    }
  };
  for await (const { name } of await opendir(directory.base, { bufferSize: 512 })) {
    if (signal.aborted)
      throw toolFailed(`looking through ${directory.rule.path} took too long: ${seen} entries so far`);
    seen += 1;
    if (seen > ENTRIES_MAX || performance.now() - startedAt > withinMs) {
      complete = false;
      break;
    }
    if (!matchesFilePattern(name, directory.rule.pattern)) kept += 1;
    else if (names.push(name) === LSTAT_AT_ONCE) await look();
  }
  await look();
  files.sort((a, b) => a.modifiedAtMs - b.modifiedAtMs || (a.name < b.name ? -1 : 1));
  return { files, chosen: files.slice(0, directory.rule.filesMax), kept, complete };
}

/** Looks at one file as it is now: the file itself if it is regular and old enough, `kept` if not, `gone` if it vanished. */
export async function eligibleFile(
  { base, rule }: Directory,
  name: string,
  now: number,
): Promise<FoundFile | 'kept' | 'gone'> {
  const stats = await lstat(join(base, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw toolFailed(`cannot look at ${name} in ${rule.path}: ${messageOf(error)}`, { cause: error });
  });
  if (!stats) return 'gone';
  // Without an age every file counts, even one from a clock that is ahead.
  const old = rule.olderThanSeconds === 0 || now - stats.mtimeMs >= rule.olderThanSeconds * 1000;
  if (!stats.isFile() || !old) return 'kept';
  return { name, bytes: stats.size, modifiedAtMs: stats.mtimeMs };
}

/** Adds up how many bytes files hold. */
export function totalBytes(files: readonly FoundFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
