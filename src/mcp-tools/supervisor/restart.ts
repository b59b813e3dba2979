import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { previewLine } from '../inspection.ts';
import { defineTool, type Inspection, toolFailed } from '../tool.ts';
import {
  allProcessInfo,
  callSupervisor,
  FAULTS,
  faultError,
  type ProcessInfo,
  processInfo,
  type SupervisorCall,
} from './client.ts';
import { canonicalProcess, processNameSchema, requireListedProcess, type SupervisorSettings } from './settings.ts';

const TIMEOUT_SECONDS = 60;
/** How long the second half of a restart goes on when nobody waits for it any more. */
const FINISH_WITHIN_MS = 300_000;
const POLL_MS = 200;

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
  inspect: async ({ process }, call) => {
    requireListedProcess(process, call.settings);
    return inspectionOf(await processInfo(call, process), await allProcessInfo(call));
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

/** No uid: a process that keeps crashing has another pid every few seconds, and is the same target all the same. */
function inspectionOf(info: ProcessInfo, all: readonly ProcessInfo[]): Inspection {
  const { name, group, statename, pid, start, stop, description } = info;
  const others = all.filter((one) => one.group === group && one.name !== name).length;
  const since = isUp(info) ? start : stop;
  const state = [
    `now ${statename}`,
    ...(pid === 0 ? [] : [`pid ${pid}`]),
    ...(since === 0 ? [] : [`since ${new Date(since * 1000).toISOString()}`]),
  ];
  return {
    uid: null,
    population: { group: `group ${group}`, members: others + 1, affects: 1 },
    preview: [
      `${isUp(info) ? 'stops and starts' : 'starts'} ${canonicalProcess(`${group}:${name}`)}`,
      state.join(', '),
      ...(description === '' ? [] : [`supervisord says: ${description}`]),
      `1 of ${others + 1} process(es) in group ${group}`,
    ].map(previewLine),
  };
}

function isUp({ statename }: ProcessInfo): boolean {
  return ['RUNNING', 'STARTING', 'BACKOFF'].includes(statename);
}

function brief({ statename, pid }: ProcessInfo) {
  return { state: statename, pid: pid === 0 ? null : pid };
}

async function stopAndStart(call: SupervisorCall, process: string, before: ProcessInfo): Promise<ProcessInfo> {
  if (isUp(before)) {
    const stopped = await callSupervisor(call, 'stopProcess', [process, true]);
    // It may have ended by itself since we looked.
    if (stopped.kind === 'fault' && stopped.fault.code !== FAULTS.NOT_RUNNING) throw faultError(stopped.fault, process);
  }
  // supervisord answers a start with an internal error while the process is on its way down.
  await passedState(call, process, 'STOPPING');
  const started = await callSupervisor(call, 'startProcess', [process, true]);
  if (started.kind === 'value') return stayedUp(process, await processInfo(call, process));
  const { fault } = started;
  // Somebody else started it meanwhile, which serves as well once it runs.
  if (fault.code === FAULTS.ALREADY_STARTED) return stayedUp(process, await passedState(call, process, 'STARTING'));
  const info = await processInfo(call, process).catch(() => undefined);
  // Whether supervisord sees a short job run or already ended is chance; having done its job is success both times.
  if (info && fault.code === FAULTS.ABNORMAL_TERMINATION && isJobDone(info)) return info;
  if (!info) throw faultError(fault, process);
  // A process that dies at once and one that cannot be spawned are the same fault; only the reason tells them apart.
  const why = [fault.message, info.spawnerr, `it is ${info.statename} now`].filter((part) => part !== '').join('; ');
  throw faultError({ ...fault, message: why }, process);
}

function stayedUp(process: string, after: ProcessInfo): ProcessInfo {
  if (after.statename === 'RUNNING' || isJobDone(after)) return after;
  const exit = after.statename === 'EXITED' ? ` with exit status ${after.exitstatus}` : '';
  throw toolFailed(`${process} was started, but is ${after.statename} by now${exit}`, {
    fix: 'read its log to see why it does not stay up',
  });
}

function isJobDone({ statename, exitstatus }: ProcessInfo): boolean {
  return statename === 'EXITED' && exitstatus === 0;
}

async function passedState(call: SupervisorCall, process: string, state: string): Promise<ProcessInfo> {
  for (;;) {
    const info = await processInfo(call, process);
    if (info.statename !== state) return info;
    await sleep(POLL_MS, undefined, { signal: call.signal });
  }
}

async function orGiveUp<T>(work: Promise<T>, signal: AbortSignal, process: string): Promise<T> {
  const given = Promise.withResolvers<never>();
  const giveUp = () => {
    const fix =
      'look at supervisor.status in a moment; a start still follows the stop, and restarting again does no harm';
    given.reject(toolFailed(`${process} did not stop and start in time`, { cause: signal.reason, fix }));
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work, given.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
