import { z } from 'zod';
import { defineTool } from '../tool.ts';
import { machineOf } from './choose-machine.ts';
import { totalBytes } from './directory.ts';
import { directoryNameSchema, type HostSettings } from './settings.ts';

const SAMPLE_MAX = 10;

const input = z.strictObject({
  directory: directoryNameSchema.describe('Name of a directory that the settings declare; not a path.'),
});

/** Shows what `host.purge` would delete, by the same rule, without touching it. */
export const files = defineTool<HostSettings, typeof input>({
  name: 'host.files',
  description:
    'Counts the files in a declared directory that host.purge would delete: how many, how many bytes, the oldest, and ten names. Changes nothing.',
  input,
  risk: 'read',
  target: ({ directory }) => `directory ${directory}`,
  undo: 'nothing to undo',
  timeoutSeconds: 30,
  run: ({ directory: name }, context) =>
    machineOf(context).inDirectory(name, async (directory) => {
      const { files, chosen, complete } = await directory.survey();
      const [oldest] = files;
      return {
        directory: name,
        path: directory.rule.path,
        count: files.length,
        bytes: totalBytes(files),
        oldest: oldest ? new Date(oldest.modifiedAtMs).toISOString() : null,
        sample: chosen.slice(0, SAMPLE_MAX).map((file) => file.name),
        onePurgeDeletes: { count: chosen.length, bytes: totalBytes(chosen) },
        complete,
      };
    }),
});
