import { z } from 'zod';
import { defineTool } from '../tool.ts';
import { allProcessInfo, type ProcessInfo, processInfo } from './client.ts';
import {
  canonicalProcess,
  isListedProcess,
  processNameSchema,
  requireListedProcess,
  type SupervisorSettings,
} from './settings.ts';

const input = z.strictObject({
  process: processNameSchema.optional().describe('One process, as name or group:name; leave it out to see all.'),
});

/** States whose exit status is the process's own; in the others, also after an end too soon, supervisord reports 0 for none. */
const WITH_EXIT_STATUS = ['EXITED', 'STOPPED'];

/** Shows the state of one process or of all that the settings list. */
export const status = defineTool<SupervisorSettings, typeof input>({
  name: 'supervisor.status',
  description:
    'Shows the state of processes under supervisord: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or UNKNOWN, with pid, exit status and last start.',
  input,
  risk: 'read',
  target: ({ process }) => (process === undefined ? 'all processes' : `process ${canonicalProcess(process)}`),
  undo: 'nothing to undo',
  timeoutSeconds: 10,
  run: async ({ process }, context) => {
    if (process === undefined) {
      const all = await allProcessInfo(context);
      const listed = all.filter(({ group, name }) => isListedProcess(`${group}:${name}`, context.settings));
      return { processes: listed.map(describeProcess) };
    }
    requireListedProcess(process, context.settings);
    return { processes: [describeProcess(await processInfo(context, process))] };
  },
});

function describeProcess({ name, group, statename, pid, description, exitstatus, start }: ProcessInfo) {
  return {
    name,
    group,
    state: statename,
    pid: pid === 0 ? null : pid,
    description,
    exitStatus: start > 0 && WITH_EXIT_STATUS.includes(statename) ? exitstatus : null,
    startedAt: start === 0 ? null : new Date(start * 1000).toISOString(),
  };
}
