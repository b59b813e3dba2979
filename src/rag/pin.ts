import { readFile, realpath, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { messageOf } from '../errors.ts';
import { findRunbookFiles, locate } from './find-files.ts';
import { git, isInGit, topOf } from './git.ts';
import { type Runbook, sha256Of } from './runbook.ts';

/** Holds the hash and the path of each runbook that an operator vouches for, as `sha256sum` writes them. */
const LOCK_FILE = 'runbooks.lock';

/** Whether somebody vouched for a runbook as it was read, and who changed it last. */
export interface Pin {
  readonly pinned: boolean;
  readonly why: string;
  /** Author and committer of the last commit that changed it; none outside git. */
  readonly editorEmails: readonly string[];
}

/** Tells whether the runbook that was indexed is one that somebody vouched for. */
export type PinOf = (runbook: Pick<Runbook, 'path' | 'sha256'>) => Promise<Pin>;

/**
 * Makes the judge of runbook files in these folders. Inside a git work tree a runbook is pinned when what was indexed equals the
 * committed file; outside git when its hash stands in the folder's runbooks.lock. What cannot be
 * found out counts as not pinned.
 */
export function createPinOf(folders: readonly string[]): PinOf {
  return async ({ path, sha256 }) => {
    try {
      const place = locate(folders, path);
      if (!place) return notPinned('it lies in no folder of `runbooks`');
      const folder = await realpath(place.folder);
      return isInGit(folder)
        ? await pinnedByGit(folder, await realpath(join(folder, place.rest)), sha256)
        : await pinnedByLock(folder, place.rest, sha256);
    } catch (error) {
      return notPinned(`it cannot be found out who vouches for it: ${messageOf(error)}`);
    }
  };
}

/**
 * Writes runbooks.lock into each folder: the operator vouches for every runbook as it is now. Gives what was written, and
 * whether git decides there instead.
 * @throws NightshiftError `invalid_config` naming a folder that is missing.
 */
export async function pinRunbooks(
  folders: readonly string[],
): Promise<{ file: string; runbooks: number; inGit: boolean }[]> {
  const written: { file: string; runbooks: number; inGit: boolean }[] = [];
  for (const named of folders) {
    const { found } = await findRunbookFiles([named]);
    const folder = await realpath(named);
    // A line break in a name would write a line of its own choosing.
    const plainly = found.filter(({ path }) => !/[\p{Cc}]/u.test(path));
    const lines = await Promise.all(
      plainly.map(async ({ path, file }) => `${sha256Of(await readFile(file, 'utf8'))}  ${path}\n`),
    );
    const file = join(folder, LOCK_FILE);
    await writeFile(file, lines.join(''));
    written.push({ file, runbooks: lines.length, inGit: isInGit(folder) });
  }
  return written;
}

function notPinned(why: string): Pin {
  return { pinned: false, why, editorEmails: [] };
}

/** The file is asked for by its path in the work tree that the folder is in: another repository inside it vouches for nothing. */
async function pinnedByGit(folder: string, file: string, sha256: string): Promise<Pin> {
  const name = basename(file);
  const [top, ofFile] = await Promise.all([topOf(folder), topOf(dirname(file))]);
  if (top !== ofFile) return notPinned(`${name} lies in another repository inside the folder`);
  const path = relative(top, file).replaceAll(sep, '/');
  let committed: string;
  try {
    // The blob as it is: no filter or text conversion that the work tree's configuration names may run.
    committed = await git(top, ['cat-file', 'blob', `HEAD:${path}`]);
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    return notPinned(`git has no committed ${name}: ${(stderr || messageOf(error)).trim().split('\n')[0]}`);
  }
  if (sha256Of(committed) !== sha256) return notPinned('it is not the committed file');
  const emails = (await git(top, ['log', '-1', '--format=%ae%n%ce', '--', path])).trim().split('\n');
  return { pinned: true, why: 'it equals the committed file', editorEmails: [...new Set(emails)].filter(Boolean) };
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
    return { pinned: true, why: `its hash is in ${LOCK_FILE}`, editorEmails: [] };
  return notPinned(`its hash is not in ${LOCK_FILE}`);
}
