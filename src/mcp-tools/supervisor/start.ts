import { z } from 'zod';
import { defineTool, toolFailed } from '../tool.ts';
import { brief, inspectionOf, isUp, startProcess } from './change-process.ts';
import { allProcessInfo, processInfo, type SupervisorCall } from './client.ts';
import { canonicalProcess, processNameSchema, requireListedProcess, type SupervisorSettings } from './settings.ts';

const input = z.strictObject({
  process: processNameSchema.describe('The process to start, as name or group:name.'),
});

/** Starts one process that is down; what runs is left alone, so calling it again does no harm. */
export const start = defineTool<SupervisorSettings, typeof input>({
  name: 'supervisor.start',
  description: 'Starts one process under supervisord that is stopped, exited or given up on, and waits until it runs.',
  input,
  risk: 'safe',
  target: ({ process }) => `process ${canonicalProcess(process)}`,
  undo: 'supervisor.stop',
  timeoutSeconds: 60,
  check: {
    tool: 'supervisor.status',
    with: { process: '{{ process }}' },
    expect: 'processes[0].state == "RUNNING"',
    within: '60s',
  },
  inverse: { tool: 'supervisor.stop', with: { process: '{{ process }}' } },
  inspect: async ({ process }, call) =>
    inspectionOf('starts', await lookDown(process, call), await allProcessInfo(call)),
  run: async ({ process }, call) => {
    const before = await lookDown(process, call);
    return { process, before: brief(before), after: brief(await startProcess(call, process)) };
  },
});

async function lookDown(process: string, call: SupervisorCall) {
  requireListedProcess(process, call.settings);
  const info = await processInfo(call, process);
  if (isUp(info)) throw toolFailed(`${process} is ${info.statename} already`);
  return info;
}
