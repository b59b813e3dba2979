/** Starting and stopping one process, and saying before what that would meet. */
import { setTimeout as sleep } from 'node:timers/promises';
import { previewLine } from '../inspection.ts';
import { type Inspection, toolFailed } from '../tool.ts';
import { callSupervisor, FAULTS, faultError, type ProcessInfo, processInfo, type SupervisorCall } from './client.ts';
import { canonicalProcess } from './settings.ts';

const POLL_MS = 200;

/**
 * Says what a call would do to one process, and of how many. No uid: a process that keeps crashing has another pid every few seconds,
 * and is the same target all the same.
 */
export function inspectionOf(verb: string, info: ProcessInfo, all: readonly ProcessInfo[]): Inspection {
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
      `${verb} ${canonicalProcess(`${group}:${name}`)}`,
      state.join(', '),
      ...(description === '' ? [] : [`supervisord says: ${description}`]),
      `1 of ${others + 1} process(es) in group ${group}`,
    ].map(previewLine),
    before: { state: statename },
  };
}

/** Tells whether a process runs, or supervisord is about to run it. */
export function isUp({ statename }: ProcessInfo): boolean {
  return ['RUNNING', 'STARTING', 'BACKOFF'].includes(statename);
}

/** What of a process goes into the record of a change. */
export function brief({ statename, pid }: ProcessInfo) {
  return { state: statename, pid: pid === 0 ? null : pid };
}

/** Stops one process and waits until it has ended. @throws NightshiftError `tool_failed` where supervisord refuses. */
export async function stopProcess(call: SupervisorCall, process: string): Promise<void> {
  const stopped = await callSupervisor(call, 'stopProcess', [process, true]);
  // It may have ended by itself since we looked.
  if (stopped.kind === 'fault' && stopped.fault.code !== FAULTS.NOT_RUNNING) throw faultError(stopped.fault, process);
}

/** Starts one process and waits until it counts as running. @throws NightshiftError `tool_failed` saying why it does not stay up. */
export async function startProcess(call: SupervisorCall, process: string): Promise<ProcessInfo> {
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
