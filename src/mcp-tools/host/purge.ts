import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { defineTool, toolFailed } from '../tool.ts';
import { type Directory, eligibleFile, type FoundFile, inDirectory, survey } from './directory.ts';
import { directoryNameSchema, type HostSettings } from './settings.ts';

const FAILED_SHOWN_MAX = 10;
const DELETE_AT_ONCE = 16;

const input = z.strictObject({
  directory: directoryNameSchema.describe('Name of a directory that the settings declare; not a path.'),
});

/** Deletes the old files of one declared directory, oldest first. */
export const purge = defineTool<HostSettings, typeof input>({
  name: 'host.purge',
  description:
    'Deletes the files directly inside a declared directory that match its declared pattern and age, oldest first. Call host.files before to see which.',
  input,
  risk: 'destructive',
  target: ({ directory }) => `directory ${directory}`,
  undo: 'nothing brings the files back',
  timeoutSeconds: 120,
  run: ({ directory: name }, { settings, signal }) =>
    inDirectory(name, settings, async (directory) => {
      const { path, filesMax } = directory.rule;
      const { files, kept, complete } = await survey(directory, signal);
      const done = await deleteFiles(directory, files.slice(0, filesMax), signal);
      const [failure] = done.failed;
      if (failure && done.deleted === 0) {
        const fix = `let the user Nightshift runs as write to ${path}`;
        throw toolFailed(`none of the files in ${path} could be deleted: ${failure.name}: ${failure.error}`, { fix });
      }
      return {
        directory: name,
        path,
        deleted: done.deleted,
        bytes: done.bytes,
        kept: kept + done.kept,
        left: Math.max(0, files.length - filesMax),
        failed: done.failed.slice(0, FAILED_SHOWN_MAX),
        failedCount: done.failed.length,
        complete,
      };
    }),
});

interface Deletion {
  deleted: number;
  bytes: number;
  /** Files that changed since the survey, so that the rule no longer covers them. */
  kept: number;
  failed: { name: string; error: string }[];
}

async function deleteFiles(directory: Directory, files: readonly FoundFile[], signal: AbortSignal): Promise<Deletion> {
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
