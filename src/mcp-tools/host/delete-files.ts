import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../errors.ts';
import { toolFailed } from '../tool.ts';
import { type Directory, eligibleFile, type FoundFile } from './directory.ts';

const DELETE_AT_ONCE = 16;

/** What became of the files that were to be deleted. */
export interface Deletion {
  deleted: number;
  bytes: number;
  /** Files that changed since the survey, so that the rule no longer covers them. */
  kept: number;
  failed: { name: string; error: string }[];
}

/** Deletes files of a survey of this host. @throws NightshiftError `tool_failed` when `signal` aborts, saying how far it came. */
export async function deleteFiles(
  directory: Directory,
  files: readonly FoundFile[],
  signal: AbortSignal,
): Promise<Deletion> {
  const done: Deletion = { deleted: 0, bytes: 0, kept: 0, failed: [] };
  for (let from = 0; from < files.length; from += DELETE_AT_ONCE) {
    if (signal.aborted) {
      const fix = 'call host.files to see what is left; purging again goes on from there';
      throw toolFailed(`stopped in time after ${done.deleted} of ${files.length} files (${done.bytes} bytes)`, { fix });
    }
    await Promise.all(files.slice(from, from + DELETE_AT_ONCE).map(({ name }) => deleteFile(directory, name, done)));
  }
  return done;
}

/** Looks once more right before it deletes; `unlink` itself follows no link and removes no directory. */
async function deleteFile(directory: Directory, name: string, done: Deletion): Promise<void> {
  try {
    const file = await eligibleFile(directory, name, Date.now());
    if (file === 'gone') return;
    if (file === 'kept') {
      done.kept += 1;
      return;
    }
    await unlink(join(directory.base, name));
    done.deleted += 1;
    done.bytes += file.bytes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    done.failed.push({ name, error: messageOf(error) });
  }
}
