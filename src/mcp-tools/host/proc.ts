import { readdir, readFile } from 'node:fs/promises';
import { toolFailed } from '../tool.ts';

/** One process as the kernel shows it. @see proc_pid_stat(5) */
export interface ProcessSeen {
  readonly pid: number;
  /** The first 15 bytes of the name of its program. */
  readonly name: string;
  readonly state: string;
  readonly parent: number;
  /** In ticks since the start of the machine; with the pid it names one process for good. */
  readonly startTicks: string;
  readonly cpuTicks: number;
  readonly memoryPages: number;
}

/** Looks at one process; null where there is none of this number. */
export async function processSeen(pid: number): Promise<ProcessSeen | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The name stands in parentheses and may itself hold some, and blanks.
  const [open, close] = [text.indexOf('('), text.lastIndexOf(')')];
  const fields = text.slice(close + 2).split(' ');
  return {
    pid,
    name: text.slice(open + 1, close),
    state: fields[0] ?? '?',
    parent: Number(fields[1]),
    startTicks: fields[19] ?? '',
    cpuTicks: Number(fields[11]) + Number(fields[12]),
    memoryPages: Number(fields[21]),
  };
}

/** Lists the numbers of all processes. @throws NightshiftError `tool_failed` where this host has no /proc. */
export async function processIds(): Promise<number[]> {
  const names = await readdir('/proc').catch((cause: unknown) => {
    throw toolFailed('this host has no /proc to look at', { cause, fix: 'use this tool on Linux' });
  });
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Reads `name: value` lines of a file below /proc, its kB as bytes. */
export async function procFields(path: string): Promise<Record<string, number>> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw toolFailed(`this host has no ${path} to look at`, { cause, fix: 'use this tool on Linux' });
  });
  const lines = [...text.matchAll(/^([^:\n]+):\s+(\d+)( kB)?$/gm)];
  return Object.fromEntries(lines.map(([, name = '', value, unit]) => [name, Number(value) * (unit ? 1024 : 1)]));
}
