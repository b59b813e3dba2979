import { z } from 'zod';
import { defineTool, toolFailed } from '../tool.ts';
import { brief, inspectionOf, isUp, stopProcess } from './change-process.ts';
import { allProcessInfo, processInfo, type SupervisorCall } from './client.ts';
import { canonicalProcess, processNameSchema, requireListedProcess, type SupervisorSettings } from './settings.ts';

const input = z.strictObject({
  process: processNameSchema.describe('The process to stop, as name or group:name.'),
});

/** Stops one process until somebody starts it again. */
export const stop = defineTool<SupervisorSettings, typeof input>({
  name: 'supervisor.stop',
  description: 'Stops one process under supervisord and waits until it has ended; it stays down until it is started.',
  input,
  risk: 'destructive',
  target: ({ process }) => `process ${canonicalProcess(process)}`,
  undo: 'supervisor.start',
  timeoutSeconds: 60,
  check: {
    tool: 'supervisor.status',
    with: { process: '{{ process }}' },
    expect: 'processes[0].state == "STOPPED"',
    within: '30s',
  },
  inverse: { tool: 'supervisor.start', with: { process: '{{ process }}' } },
  inspect: async ({ process }, call) => inspectionOf('stops', await lookUp(process, call), await allProcessInfo(call)),
  run: async ({ process }, call) => {
    const before = await lookUp(process, call);
    await stopProcess(call, process);
    return { process, before: brief(before), after: brief(await processInfo(call, process)) };
  },
});

async function lookUp(process: string, call: SupervisorCall) {
  requireListedProcess(process, call.settings);
  const info = await processInfo(call, process);
  if (!isUp(info)) throw toolFailed(`${process} does not run; it is ${info.statename}`);
  return info;
}
