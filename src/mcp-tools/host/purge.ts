import { z } from 'zod';
import { previewLine } from '../inspection.ts';
import { defineTool, toolFailed } from '../tool.ts';
import { machineOf } from './choose-machine.ts';
import { type FoundFile, type Survey, totalBytes } from './directory.ts';
import { type DirectoryRule, directoryNameSchema, type HostSettings } from './settings.ts';

const NAMES_SHOWN_MAX = 20;
/** Half of what an inspection may take: a directory that is too full to be looked through in time is the one to purge. */
const PREVIEW_WITHIN_MS = 5000;
const FAILED_SHOWN_MAX = 10;

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
  check: null,
  inverse: null,
  inspect: ({ directory: name }, context) =>
    machineOf(context).inDirectory(name, async ({ uid, rule, survey }) => ({
      uid,
      population: null,
      preview: previewOf(rule, await survey({ withinMs: PREVIEW_WITHIN_MS })).map(previewLine),
    })),
  run: ({ directory: name }, context) =>
    machineOf(context).inDirectory(name, async (directory) => {
      const { path } = directory.rule;
      const { files, chosen, kept, complete } = await directory.survey();
      const done = await directory.delete(chosen);
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
        left: files.length - chosen.length,
        failed: done.failed.slice(0, FAILED_SHOWN_MAX),
        failedCount: done.failed.length,
        complete,
      };
    }),
});

/** Says what one purge would do after this survey; which files, only where all of them were seen. */
export function previewOf(rule: DirectoryRule, { files, chosen, kept, complete }: Survey): string[] {
  const { path, pattern, olderThanSeconds, filesMax } = rule;
  const where = [
    `in ${path}`,
    `that match ${pattern}${olderThanSeconds > 0 ? ` and were last written at least ${olderThanSeconds} s ago` : ''}`,
  ];
  if (!complete)
    return [
      `deletes up to ${filesMax} file(s), the oldest first`,
      ...where,
      `there are too many entries to say which: of ${files.length + kept} that were looked at, ${files.length} match`,
    ];
  const left = files.length - chosen.length;
  const unnamed = chosen.length - NAMES_SHOWN_MAX;
  return [
    `deletes ${chosen.length} file(s), ${totalBytes(chosen)} bytes, the oldest first`,
    ...where,
    `keeps ${kept} other entries${left > 0 ? `, and ${left} more matching file(s) for another run` : ''}`,
    // Quoted, so that no name can pass for words of ours.
    ...chosen.slice(0, NAMES_SHOWN_MAX).map(describeFile),
    ...(unnamed > 0 ? [`and ${unnamed} more`] : []),
  ];
}

function describeFile({ name, bytes, modifiedAtMs }: FoundFile): string {
  return `${JSON.stringify(name)}, ${bytes} bytes, last written ${new Date(modifiedAtMs).toISOString()}`;
}
