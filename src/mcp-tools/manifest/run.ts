import { spawn } from 'node:child_process';
import { messageOf } from '../../errors.ts';
import { cutShort, toolFailed } from '../tool.ts';
import type { Driver, Drivers, RunRequest } from './drivers.ts';

const OUTPUT_BYTES_MAX = 1024 * 1024;
const MESSAGE_MAX = 500;
/** How long what a program has left behind may hold on to its output once it has ended itself. */
const AFTER_END_MS = 1000;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** How a program is run: what stands before every argv (a wrapper such as sudo), its environment and its folder. */
export interface Place {
  readonly before?: readonly string[];
  /** Options that stand right after the program, whichever it is. */
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly directory?: string;
}

/** Gives the place of one call; the time that it has, in seconds, is known to it, as a wrapper may have to keep to it. */
type PlaceOf<Settings> = (settings: Settings, timeoutSeconds: number) => Place;

/** Makes both drivers of a toolset that runs programs: what runs one, and what tells its whole argv beforehand. */
export function runDrivers<Settings>(placeOf: PlaceOf<Settings>): Required<Pick<Drivers<Settings>, 'run' | 'argv'>> {
  return {
    run: runDriver(placeOf),
    argv: ({ argv }, { settings, timeoutSeconds }) => wholeArgv(argv, placeOf(settings, timeoutSeconds)),
  };
}

/**
 * Makes the driver that runs one program: an argv, never a shell, no standard input, nothing of our own environment, and no more time
 * than the call has: what it started ends with it then. Its answer is its output, of which 1 MiB is kept, and its exit status.
 */
export function runDriver<Settings>(placeOf: PlaceOf<Settings> = () => ({})): Driver<RunRequest, Settings> {
  return async ({ argv, output, expect }, { settings, signal, timeoutSeconds, readOnly }) => {
    const place = placeOf(settings, timeoutSeconds);
    const [program = '', ...args] = wholeArgv(argv, place);
    const { status, stdout, stderr, isCut } = await runProgram(program, args, {
      ...place,
      signal,
      isChange: !readOnly,
    });
    const cut = isCut ? { outputCut: true } : {};
    if (!expect.includes(status)) {
      const said = (stderr.trim() || stdout.trim()).slice(0, MESSAGE_MAX);
      throw toolFailed(`${program} ended with status ${status}${said ? `: ${said}` : ''}`);
    }
    if (output === 'lines') return { lines: stdout.split('\n').filter((line) => line !== ''), status, ...cut };
    if (output === 'text') return { text: stdout, status, ...cut };
    try {
      return JSON.parse(stdout);
    } catch (cause) {
      throw toolFailed(`${program} did not write JSON`, { cause });
    }
  };
}

function wholeArgv(argv: RunRequest['argv'], { before = [], options = [] }: Place): string[] {
  const [program = '', ...args] = argv.map(wordOf);
  return [...before, program, ...options, ...args];
}

function wordOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (text.includes('\0')) throw toolFailed('an argument holds a NUL character');
  return text;
}

/** How a program ended, and what of its output was kept. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly isCut: boolean;
}

/**
 * Runs a program in a process group of its own until it ends; when `signal` aborts, the whole group is killed. Of what it writes, the
 * first 1 MiB (or `bytesMax`) is kept and the rest is read and dropped, so that one that says too much is not ended halfway.
 * @throws NightshiftError `tool_failed` where it cannot be started, is ended by a signal, or does not end in time; OutcomeUnknown for the
 * last two where it was to change something (`isChange`), since it may have, in part.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  {
    env = {},
    directory = '/',
    signal,
    input,
    bytesMax = OUTPUT_BYTES_MAX,
    isChange = false,
  }: Pick<Place, 'env' | 'directory'> & {
    signal: AbortSignal;
    /** What it reads on standard input. */
    input?: string | undefined;
    /** How much of its output is kept. */
    bytesMax?: number | undefined;
    isChange?: boolean | undefined;
  },
): Promise<Ended> {
  if (signal.aborted) throw toolFailed(`${program} was not started: there is no time left`);
  const child = spawn(program, [...args], {
    env: { PATH, LC_ALL: 'C', ...env },
    cwd: directory,
    detached: true,
    stdio: 'pipe',
  });
  const ended = Promise.withResolvers<{ code: number | null; by: NodeJS.Signals | null }>();
  child.once('error', (cause) =>
    ended.reject(
      toolFailed(`${program} cannot be run: ${messageOf(cause)}`, { cause, fix: 'check its path and folder' }),
    ),
  );
  // It was not started; where no file can be opened any more, it has not even a standard output.
  const { pid } = child;
  if (pid === undefined) return ended.promise as Promise<never>;
  const [stdout, stderr] = [keep(child.stdout, bytesMax), keep(child.stderr, bytesMax)];
  // It need not read what it is given.
  child.stdin.on('error', () => {}).end(input ?? '');
  child.once('close', (code, by) => ended.resolve({ code, by }));
  child.once('exit', (code, by) => {
    // What it left running may keep its output open for ever; that it has ended itself is what counts.
    setTimeout(() => ended.resolve({ code, by }), AFTER_END_MS).unref();
  });
  const kill = () => killGroup(pid);
  signal.addEventListener('abort', kill, { once: true });
  if (!isChange) looks.add(pid);
  try {
    const { code, by } = await ended.promise;
    if (signal.aborted)
      throw cutShort(`${program} did not end in time and was killed, with whatever it had started`, isChange);
    if (code === null) throw cutShort(`${program} was ended by ${by}`, isChange);
    return { status: code, stdout: stdout.text(), stderr: stderr.text(), isCut: stdout.isCut() };
  } finally {
    signal.removeEventListener('abort', kill);
    looks.delete(pid);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function keep(stream: NodeJS.ReadableStream, bytesMax: number): { text: () => string; isCut: () => boolean } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    if (bytes < bytesMax) chunks.push(chunk.subarray(0, bytesMax - bytes));
    bytes += chunk.length;
  });
  return { text: () => Buffer.concat(chunks).toString('utf8'), isCut: () => bytes > bytesMax };
}

/** Nobody reads any more what these find once this process ends; a change is left to finish. */
const looks = new Set<number>();
process.once('exit', () => {
  for (const pid of looks) killGroup(pid);
});

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already, or runs as somebody else, whose wrapper keeps to the time.
  }
}
