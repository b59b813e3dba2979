import { z } from 'zod';
import { cutShort, defineTool, toolFailed } from '../tool.ts';
import { brief, inspectionOf, isUp, startProcess, stopProcess } from './change-process.ts';
import { allProcessInfo, type ProcessInfo, processInfo, type SupervisorCall } from './client.ts';
import { canonicalProcess, processNameSchema, requireListedProcess, type SupervisorSettings } from './settings.ts';

const TIMEOUT_SECONDS = 60;
/** How long the second half of a restart goes on when nobody waits for it any more. */
const FINISH_WITHIN_MS = 300_000;

const input = z.strictObject({
  process: processNameSchema.describe('The process to restart, as name or group:name.'),
});

/** Restarts one process; one that is down is started, so calling it again does no harm. */
export const restart = defineTool<SupervisorSettings, typeof input>({
  name: 'supervisor.restart',
  description:
    'Restarts one process under supervisord and waits until it runs. A process that is stopped, exited, failing or given up on is started.',
  input,
  risk: 'safe',
  target: ({ process }) => `process ${canonicalProcess(process)}`,
  undo: 'nothing to undo; the process runs again as configured',
  timeoutSeconds: TIMEOUT_SECONDS,
  check: {
    tool: 'supervisor.status',
    with: { process: '{{ process }}' },
    expect: 'processes[0].state == "RUNNING"',
    within: '60s',
  },
  inverse: null,
  inspect: async ({ process }, call) => {
    requireListedProcess(process, call.settings);
    const info = await processInfo(call, process);
    const { before: _nothing, ...inspection } = inspectionOf(
      isUp(info) ? 'stops and starts' : 'starts',
      info,
      await allProcessInfo(call),
    );
    return inspection;
  },
  run: async ({ process }, { settings, signal }) => {
    requireListedProcess(process, settings);
    const before = await processInfo({ settings, signal }, process);
    if (signal.aborted)
      throw toolFailed(`the restart of ${process} was broken off before it began`, { cause: signal.reason });
    // From the stop on, the caller's impatience must not leave the process down: the start follows even if nobody waits.
    const finished = stopAndStart({ settings, signal: AbortSignal.timeout(FINISH_WITHIN_MS) }, process, before);
    const after = await orGiveUp(finished, signal, process);
    return { process, before: brief(before), after: brief(after) };
  },
});

async function stopAndStart(call: SupervisorCall, process: string, before: ProcessInfo): Promise<ProcessInfo> {
  if (isUp(before)) await stopProcess(call, process);
  return startProcess(call, process);
}

async function orGiveUp<T>(work: Promise<T>, signal: AbortSignal, process: string): Promise<T> {
  const given = Promise.withResolvers<never>();
  const giveUp = () => {
    const why = `${process} did not stop and start in time; a start still follows the stop`;
    given.reject(cutShort(why, true, { cause: signal.reason }));
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work, given.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
