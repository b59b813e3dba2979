import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { previewLine } from '../inspection.ts';
import { defineTool, toolFailed } from '../tool.ts';
import { machineOf } from './choose-machine.ts';
import type { Machine } from './machine.ts';
import type { ProcessSeen } from './proc.ts';
import type { HostSettings } from './settings.ts';

const WAIT_MS = 10_000;
const POLL_MS = 50;

const input = z.strictObject({
  pid: z.number().int().min(2).max(4_194_304).describe('The number of the process, as host.processes shows it.'),
});

/** Ends one process of a declared program by SIGTERM; never by force, and never another one that has its number by now. */
export const killProcess = defineTool<HostSettings, typeof input>({
  name: 'host.kill_process',
  description: 'Asks one process of a declared program to end (SIGTERM), and waits up to 10 seconds until it has.',
  input,
  risk: 'destructive',
  target: ({ pid }) => `process ${pid}`,
  undo: 'nothing to undo; whoever started it may start it again',
  timeoutSeconds: 20,
  check: { tool: 'host.process', with: { pid: '{{ pid }}' }, expect: 'running == false', within: '10s' },
  inverse: null,
  inspect: async ({ pid }, context) => {
    const { name, state, parent, startTicks, memoryPages } = await killable(pid, machineOf(context), context.settings);
    return {
      uid: `${pid}@${startTicks}`,
      population: null,
      preview: [
        // Quoted, so that no name can pass for words of ours.
        `asks process ${pid} (${JSON.stringify(name)}) to end`,
        `state ${state}, started by process ${parent}, ${memoryPages * 4} KiB of memory`,
      ].map(previewLine),
    };
  },
  run: async ({ pid }, context) => {
    const machine = machineOf(context);
    const before = await killable(pid, machine, context.settings);
    await machine.terminate(before);
    for (const until = Date.now() + WAIT_MS; Date.now() < until && !context.signal.aborted; await sleep(POLL_MS)) {
      const seen = await machine.process(pid);
      if (!seen || seen.state === 'Z' || seen.startTicks !== before.startTicks)
        return { pid, name: before.name, ended: true };
    }
    throw toolFailed(`process ${pid} was asked to end, and still runs`, {
      fix: 'look at what it is doing; nobody forced it',
    });
  },
});

/** @throws NightshiftError `tool_failed` where there is no such process, or not one that may be ended. */
async function killable(pid: number, machine: Machine, { killable: programs }: HostSettings): Promise<ProcessSeen> {
  const seen = await machine.process(pid);
  if (!seen || seen.state === 'Z') throw toolFailed(`there is no process ${pid}`);
  if (machine.isOurs(pid)) throw toolFailed(`process ${pid} is Nightshift itself`);
  if (!programs.includes(seen.name))
    throw toolFailed(`process ${pid} is of the program ${JSON.stringify(seen.name)}, which may not be ended`, {
      fix: 'add it to the setting `killable` of this toolset, if it may be',
    });
  return seen;
}
