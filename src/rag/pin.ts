import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, realpath, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../errors.ts';
import { findRunbookFiles } from './find-files.ts';
import { type Runbook, sha256Of } from './runbook.ts';

const run = promisify(execFile);

/** Holds the hash and the path of each runbook that an operator vouches for, as `sha256sum` writes them. */
const LOCK_FILE = 'runbooks.lock';
const GIT_MS_MAX = 5000;
const BLOB_BYTES_MAX = 4 * 1024 * 1024;

/** Whether somebody vouched for a runbook as it was read, and who changed it last. */
export interface Pin {
  readonly pinned: boolean;
  readonly why: string;
  /** Author of the last commit that changed it; null outside git. */
  readonly editorEmail: string | null;
}

/** Tells whether the runbook that was indexed is one that somebody vouched for. */
export type PinOf = (runbook: Pick<Runbook, 'path' | 'sha256'>) => Promise<Pin>;

/**
 * Makes the judge of runbook files in these folders. Inside a git work tree a runbook is pinned when what was indexed equals the
 * committed file; outside git, or where git cannot be asked, when its hash stands in the folder's runbooks.lock. What cannot be
 * found out counts as not pinned.
 */
export function createPinOf(folders: readonly string[]): PinOf {
  return async ({ path, sha256 }) => {
    try {
      const place = locate(folders, path);
      if (!place) return notPinned('it lies in no folder of `runbooks`');
      const folder = await realpath(place.folder);
      const byGit = isInGit(folder) ? await pinnedByGit(await realpath(join(folder, place.rest)), sha256) : null;
      return byGit ?? (await pinnedByLock(folder, place.rest, sha256));
    } catch (error) {
      return notPinned(`it cannot be found out who vouches for it: ${messageOf(error)}`);
    }
  };
}

/**
 * Writes runbooks.lock into each folder: the operator vouches for every runbook as it is now. Gives what was written, and
 * whether git decides there instead as long as it can be asked.
 * @throws NightshiftError `invalid_config` naming a folder that is missing.
 */
export async function pinRunbooks(
  folders: readonly string[],
): Promise<{ file: string; runbooks: number; inGit: boolean }[]> {
  const written: { file: string; runbooks: number; inGit: boolean }[] = [];
  for (const named of folders) {
    const { found } = await findRunbookFiles([named]);
    const folder = await realpath(named);
    const lines = await Promise.all(
      found.map(async ({ path, file }) => `${sha256Of(await readFile(file, 'utf8'))}  ${path}\n`),
    );
    const file = join(folder, LOCK_FILE);
    await writeFile(file, lines.join(''));
    written.push({ file, runbooks: lines.length, inGit: isInGit(folder) });
  }
  return written;
}

function notPinned(why: string): Pin {
  return { pinned: false, why, editorEmail: null };
}

/** Paths are relative to their folder, with the folder's name in front where there are several. */
function locate(folders: readonly string[], path: string): { folder: string; rest: string } | null {
  const [only, ...others] = folders;
  if (only !== undefined && others.length === 0) return { folder: only, rest: path };
  const folder = folders.find((one) => path.startsWith(`${basename(one)}/`));
  return folder === undefined ? null : { folder, rest: path.slice(basename(folder).length + 1) };
}

function isInGit(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return true;
    if (dirname(at) === at) return false;
  }
}

/** Gives null where git cannot be asked: it is not installed, or refuses a work tree that another user owns. */
async function pinnedByGit(file: string, sha256: string): Promise<Pin | null> {
  const name = basename(file);
  let committed: string;
  try {
    // The blob as it is: no filter or text conversion that the work tree's configuration names may run.
    committed = await git(file, ['cat-file', 'blob', `HEAD:./${name}`]);
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT' || stderr.includes('dubious ownership')) return null;
    return notPinned(`git has no committed ${name}: ${stderr.trim().split('\n')[0]}`);
  }
  if (sha256Of(committed) !== sha256) return notPinned('it is not the committed file');
  const editorEmail = (await git(file, ['log', '-1', '--format=%ae', '--', name])).trim();
  return { pinned: true, why: 'it equals the committed file', editorEmail: editorEmail || null };
}

async function git(file: string, args: readonly string[]): Promise<string> {
  const { PATH = '', HOME = '' } = process.env;
  const { stdout } = await run('git', ['-C', dirname(file), ...args], {
    env: { PATH, HOME, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0' },
    timeout: GIT_MS_MAX,
    maxBuffer: BLOB_BYTES_MAX,
    encoding: 'utf8',
  });
  return stdout;
}

async function pinnedByLock(folder: string, path: string, sha256: string): Promise<Pin> {
  let lock: string;
  try {
    lock = await readFile(join(folder, LOCK_FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return notPinned(`it is in no git work tree, and there is no ${LOCK_FILE} beside it`);
  }
  if (lock.split('\n').includes(`${sha256}  ${path}`))
    return { pinned: true, why: `its hash is in ${LOCK_FILE}`, editorEmail: null };
  return notPinned(`its hash is not in ${LOCK_FILE}`);
}
