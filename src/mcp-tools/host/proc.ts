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

/** Reads what /proc/PID/stat says about a process; null for null, as where there is no such process. */
export function parseStat(text: string | null): ProcessSeen | null {
  if (text === null) return null;
  // The name stands in parentheses and may itself hold some, and blanks.
  const [open, close] = [text.indexOf('('), text.lastIndexOf(')')];
  if (open < 1 || close < open) return null;
  const fields = text.slice(close + 2).split(' ');
  return {
    pid: Number.parseInt(text, 10),
    name: text.slice(open + 1, close),
    state: fields[0] ?? '?',
    parent: Number(fields[1]),
    startTicks: fields[19] ?? '',
    cpuTicks: Number(fields[11]) + Number(fields[12]),
    memoryPages: Number(fields[21]),
  };
}

/** Reads `name: value` lines of a file below /proc, its kB as bytes. */
export function procFields(text: string): Record<string, number> {
  const lines = [...text.matchAll(/^([^:\n]+):\s+(\d+)( kB)?$/gm)];
  return Object.fromEntries(lines.map(([, name = '', value, unit]) => [name, Number(value) * (unit ? 1024 : 1)]));
}

/** Reads from /proc/PID/limits how many files the process may have open; null where it does not say so. */
export function openFilesLimit(text: string): number | null {
  const limit = /Max open files\s+(\d+)/.exec(text)?.[1];
  return limit ? Number(limit) : null;
}
