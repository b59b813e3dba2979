import { z } from 'zod';
import { defineTool, toolFailed } from '../tool.ts';
import { machineOf } from './choose-machine.ts';
import type { Machine } from './machine.ts';
import { type ProcessSeen, procFields } from './proc.ts';
import type { HostSettings } from './settings.ts';

const PAGE_BYTES = 4096;
const SHOWN_MAX = 20;
const nothing = z.strictObject({});
const look = { input: nothing, risk: 'read', undo: 'nothing to undo', timeoutSeconds: 15 } as const;

const diskInput = z.strictObject({
  mountpoint: z
    .string()
    .startsWith('/', 'must be an absolute path')
    .max(4096)
    .optional()
    .describe('Only the file system that is mounted there; all of them otherwise.'),
});

/** Shows how full the file systems are, in bytes and in files. */
export const disk = defineTool<HostSettings, typeof diskInput>({
  ...look,
  input: diskInput,
  name: 'host.disk',
  description: 'Shows how full the file systems of this host are, in bytes and in files (inodes), the fullest first.',
  target: ({ mountpoint }) => (mountpoint === undefined ? 'file systems' : `file system ${mountpoint}`),
  run: async ({ mountpoint }, context) => {
    const all = (await machineOf(context).fileSystems()).sort((a, b) => b.usedPercent - a.usedPercent);
    const fileSystems = all.filter(({ path }) => mountpoint === undefined || path === mountpoint);
    if (fileSystems.length > 0 || mountpoint === undefined) return { fileSystems };
    throw toolFailed(`no file system is mounted at ${mountpoint}`, {
      fix: `use one of ${all.map(({ path }) => path).join(', ')}`,
    });
  },
});

/** Shows what memory there is and what of it is in use. */
export const memory = defineTool<HostSettings, typeof nothing>({
  ...look,
  name: 'host.memory',
  description: 'Shows how much memory and swap this host has, and how much of it is available.',
  target: () => 'memory',
  run: async (_, context) => {
    const [text] = await readable(machineOf(context), ['/proc/meminfo']);
    const { MemTotal = 0, MemAvailable = 0, SwapTotal = 0, SwapFree = 0, Dirty = 0 } = procFields(text ?? '');
    return {
      totalBytes: MemTotal,
      availableBytes: MemAvailable,
      usedPercent: Math.round((100 * (MemTotal - MemAvailable)) / MemTotal),
      swapTotalBytes: SwapTotal,
      swapFreeBytes: SwapFree,
      dirtyBytes: Dirty,
    };
  },
});

/** Shows how many processes want to run, beside how many can. */
export const load = defineTool<HostSettings, typeof nothing>({
  ...look,
  name: 'host.load',
  description:
    'Shows the load of this host over 1, 5 and 15 minutes beside its number of cpus, and since when it runs.',
  target: () => 'load',
  run: async (_, context) => {
    const paths = ['/proc/loadavg', '/proc/uptime', '/proc/cpuinfo'];
    const [averages = '', uptime = '', cpus = ''] = await readable(machineOf(context), paths);
    const [oneMinute = 0, fiveMinutes = 0, fifteenMinutes = 0] = averages.split(' ').map(Number);
    return {
      oneMinute,
      fiveMinutes,
      fifteenMinutes,
      cpus: cpus.match(/^processor\s*:/gm)?.length ?? null,
      uptimeSeconds: Math.round(Number.parseFloat(uptime)),
    };
  },
});

/** Shows the processes that use the most memory; their arguments are left out, as they may hold secrets. */
export const processes = defineTool<HostSettings, typeof nothing>({
  ...look,
  name: 'host.processes',
  description:
    'Counts the processes of this host by state, and lists those that use the most memory, without their arguments.',
  target: () => 'processes',
  run: async (_, context) => {
    const all = await machineOf(context).processes();
    const states: Record<string, number> = {};
    for (const { state } of all) states[state] = (states[state] ?? 0) + 1;
    const largest = all.sort((a, b) => b.memoryPages - a.memoryPages).slice(0, SHOWN_MAX);
    return { count: all.length, states, largest: largest.map(shown) };
  },
});

/** Shows how many files are open, on the whole and by whom. */
export const openFiles = defineTool<HostSettings, typeof nothing>({
  ...look,
  name: 'host.open_files',
  description:
    'Shows how many files this host has open of the most it can, and the processes with the most beside their own limit.',
  target: () => 'open files',
  run: async (_, context) => {
    const machine = machineOf(context);
    const [text = ''] = await readable(machine, ['/proc/sys/fs/file-nr']);
    const [open = 0, , most = 0] = text.split(/\s+/).map(Number);
    return { open, most, processes: await machine.openFiles(SHOWN_MAX) };
  },
});

const pidInput = z.strictObject({
  pid: z.number().int().min(1).max(4_194_304).describe('The number of the process, as host.processes shows it.'),
});

/** Tells whether one process is there. */
export const processLook = defineTool<HostSettings, typeof pidInput>({
  ...look,
  input: pidInput,
  name: 'host.process',
  description: 'Tells whether one process of this host runs, and what it uses.',
  target: ({ pid }) => `process ${pid}`,
  run: async ({ pid }, context) => {
    const seen = await machineOf(context).process(pid);
    // What ended and was not yet asked for its status by its parent does nothing any more.
    return seen && seen.state !== 'Z' ? { running: true, ...shown(seen) } : { running: false };
  },
});

function shown({ pid, name, state, parent, memoryPages }: ProcessSeen) {
  return { pid, name, state, parent, memoryBytes: memoryPages * PAGE_BYTES };
}

/** @throws NightshiftError `tool_failed` where the host has no such file. */
async function readable(machine: Machine, paths: readonly string[]): Promise<string[]> {
  const texts = await machine.texts(paths);
  return texts.map((text, index) => {
    if (text !== null) return text;
    throw toolFailed(`this host has no ${paths[index]} to look at`, { fix: 'use this tool on Linux' });
  });
}
