import { readdir, readFile, statfs } from 'node:fs/promises';
import { availableParallelism, loadavg, uptime } from 'node:os';
import { z } from 'zod';
import { defineTool } from '../tool.ts';
import { type ProcessSeen, processIds, processSeen, procFields } from './proc.ts';
import type { HostSettings } from './settings.ts';

const PAGE_BYTES = 4096;
const SHOWN_MAX = 20;
const nothing = z.strictObject({});
const look = { input: nothing, risk: 'read', undo: 'nothing to undo', timeoutSeconds: 15 } as const;

/** Shows how full the file systems are, in bytes and in files. */
export const disk = defineTool<HostSettings, typeof nothing>({
  ...look,
  name: 'host.disk',
  description: 'Shows how full the file systems of this host are, in bytes and in files (inodes), the fullest first.',
  target: () => 'file systems',
  run: async () => {
    const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
    // Those on a device; others, such as proc, are never full.
    const paths = new Map(
      mounts.flatMap(([device = '', path = '']) => (device.startsWith('/') ? [[device, path]] : [])),
    );
    const found = await Promise.all(
      [...paths].map(async ([device, escaped]) => {
        const path = escaped.replace(/\\(\d{3})/g, (_, octal: string) =>
          String.fromCharCode(Number.parseInt(octal, 8)),
        );
        const stats = await statfs(path).catch(() => null);
        if (!stats || stats.blocks === 0) return [];
        const { bsize, blocks, bfree, bavail, files, ffree } = stats;
        // As df has it: what only root may use counts as neither used nor free.
        const used = blocks - bfree;
        const usedPercent = Math.ceil((100 * used) / (used + bavail));
        const filesUsedPercent = files > 0 ? Math.ceil((100 * (files - ffree)) / files) : null;
        return [{ path, device, bytes: blocks * bsize, freeBytes: bavail * bsize, usedPercent, filesUsedPercent }];
      }),
    );
    return { fileSystems: found.flat().sort((a, b) => b.usedPercent - a.usedPercent) };
  },
});

/** Shows what memory there is and what of it is in use. */
export const memory = defineTool<HostSettings, typeof nothing>({
  ...look,
  name: 'host.memory',
  description: 'Shows how much memory and swap this host has, and how much of it is available.',
  target: () => 'memory',
  run: async () => {
    const {
      MemTotal = 0,
      MemAvailable = 0,
      SwapTotal = 0,
      SwapFree = 0,
      Dirty = 0,
    } = await procFields('/proc/meminfo');
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
  run: async () => {
    const [oneMinute = 0, fiveMinutes = 0, fifteenMinutes = 0] = loadavg();
    return {
      oneMinute,
      fiveMinutes,
      fifteenMinutes,
      cpus: availableParallelism(),
      uptimeSeconds: Math.round(uptime()),
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
  run: async () => {
    const all = (await Promise.all((await processIds()).map(processSeen))).filter((one) => one !== null);
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
  run: async () => {
    const [open = 0, , most = 0] = (await readFile('/proc/sys/fs/file-nr', 'utf8')).split(/\s+/).map(Number);
    const counted = await Promise.all(
      (await processIds()).map(async (pid) => {
        const files = await readdir(`/proc/${pid}/fd`).catch(() => null);
        return files === null ? [] : [{ pid, files: files.length }];
      }),
    );
    const top = counted
      .flat()
      .sort((a, b) => b.files - a.files)
      .slice(0, SHOWN_MAX);
    const named = await Promise.all(
      top.map(async ({ pid, files }) => {
        const limits = await readFile(`/proc/${pid}/limits`, 'utf8').catch(() => '');
        const limit = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
        return { pid, name: (await processSeen(pid))?.name ?? null, files, limit: limit ? Number(limit) : null };
      }),
    );
    return { open, most, processes: named };
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
  run: async ({ pid }) => {
    const seen = await processSeen(pid);
    // What ended and was not yet asked for its status by its parent does nothing any more.
    return seen && seen.state !== 'Z' ? { running: true, ...shown(seen) } : { running: false };
  },
});

function shown({ pid, name, state, parent, memoryPages }: ProcessSeen) {
  return { pid, name, state, parent, memoryBytes: memoryPages * PAGE_BYTES };
}
