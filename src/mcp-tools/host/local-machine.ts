import { lstat, readdir, readFile, statfs } from 'node:fs/promises';
import { messageOf } from '../../errors.ts';
import { runProgram } from '../manifest/run.ts';
import { type ToolContext, toolFailed } from '../tool.ts';
import { deleteFiles } from './delete-files.ts';
import { inDirectory, survey } from './directory.ts';
import type { FileSystem, Machine, OpenFiles } from './machine.ts';
import { openFilesLimit, type ProcessSeen, parseStat } from './proc.ts';
import type { HostSettings } from './settings.ts';

/** Gives this host. */
export function localMachine({ settings, signal }: ToolContext<HostSettings>): Machine {
  const processOf = async (pid: number) => parseStat(await readText(`/proc/${pid}/stat`));
  return {
    texts: (paths) => Promise.all(paths.map(readText)),
    fileSystems,
    process: processOf,
    processes: async () => (await Promise.all((await processIds()).map(processOf))).filter((one) => one !== null),
    openFiles,
    terminate: async ({ pid }: ProcessSeen) => {
      try {
        process.kill(pid, 'SIGTERM');
      } catch (cause) {
        const fix = 'run this toolset as the user of that process, if it may end it';
        throw toolFailed(`process ${pid} cannot be ended: ${messageOf(cause)}`, { cause, fix });
      }
    },
    isOurs: (pid) => pid === process.pid || pid === process.ppid,
    sizes: (paths) =>
      Promise.all(
        paths.map(async (path) => {
          const stats = await lstat(path).catch(() => null);
          return stats?.isFile() ? stats.size : null;
        }),
      ),
    run: ([program = '', ...args], isChange) => runProgram(program, args, { signal, isChange }),
    inDirectory: (name, work) =>
      inDirectory(name, settings, (directory) =>
        work({
          rule: directory.rule,
          uid: directory.uid,
          survey: (options) => survey(directory, signal, options),
          delete: (files) => deleteFiles(directory, files, signal),
        }),
      ),
  };
}

function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}

async function processIds(): Promise<number[]> {
  const names = await readdir('/proc').catch((cause: unknown) => {
    throw toolFailed('this host has no /proc to look at', { cause, fix: 'use this tool on Linux' });
  });
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

async function fileSystems(): Promise<FileSystem[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  // Those on a device; others, such as proc, are never full.
  const paths = new Map<string, string>();
  for (const [device = '', path = ''] of mounts) {
    const before = paths.get(device);
    // Part of one may be mounted a second time further down; as df has it, the way to it is the shortest.
    if (device.startsWith('/') && (before === undefined || path.length < before.length)) paths.set(device, path);
  }
  const found = await Promise.all(
    [...paths].map(async ([device, escaped]) => {
      const path = escaped.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
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
  return found.flat();
}

async function openFiles(most: number): Promise<OpenFiles[]> {
  const counted = await Promise.all(
    (await processIds()).map(async (pid) => {
      const files = await readdir(`/proc/${pid}/fd`).catch(() => null);
      return files === null ? [] : [{ pid, files: files.length }];
    }),
  );
  const top = counted
    .flat()
    .sort((a, b) => b.files - a.files)
    .slice(0, most);
  return Promise.all(
    top.map(async ({ pid, files }) => ({
      pid,
      name: parseStat(await readText(`/proc/${pid}/stat`))?.name ?? null,
      files,
      limit: openFilesLimit((await readText(`/proc/${pid}/limits`)) ?? ''),
    })),
  );
}
