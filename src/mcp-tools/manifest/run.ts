import { execFile } from 'node:child_process';
import { messageOf } from '../../errors.ts';
import { toolFailed } from '../tool.ts';
import type { Driver, RunRequest } from './drivers.ts';

const OUTPUT_BYTES_MAX = 1024 * 1024;
const MESSAGE_MAX = 500;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** How a program is run: what stands before every argv (a wrapper such as sudo), its environment and its folder. */
export interface Place {
  readonly before?: readonly string[];
  /** Options that stand right after the program, whichever it is. */
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly directory?: string;
}

/**
 * Makes the driver that runs one program: an argv, never a shell, no standard input, nothing of our own environment, and no more time
 * than the call has. Its answer is its output and its exit status.
 */
export function runDriver<Settings>(placeOf: (settings: Settings) => Place = () => ({})): Driver<RunRequest, Settings> {
  return async ({ argv, output, expect }, { settings, signal }) => {
    const { before = [], options = [], env = {}, directory = '/' } = placeOf(settings);
    const [name = '', ...given] = argv.map(argumentOf);
    const [program = '', ...args] = [...before, name, ...options, ...given];
    const { status, stdout, stderr } = await run(program, args, {
      env: { PATH, LC_ALL: 'C', ...env },
      directory,
      signal,
    });
    if (!expect.includes(status)) {
      const said = (stderr.trim() || stdout.trim()).slice(0, MESSAGE_MAX);
      throw toolFailed(`${program} ended with status ${status}${said ? `: ${said}` : ''}`);
    }
    if (output === 'lines') return { lines: stdout.split('\n').filter((line) => line !== ''), status };
    if (output === 'text') return { text: stdout, status };
    try {
      return JSON.parse(stdout);
    } catch (cause) {
      throw toolFailed(`${program} did not write JSON`, { cause });
    }
  };
}

function argumentOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (text.includes('\0')) throw toolFailed('an argument holds a NUL character');
  return text;
}

async function run(
  program: string,
  args: readonly string[],
  { env, directory, signal }: { env: Record<string, string>; directory: string; signal: AbortSignal },
): Promise<{ status: number; stdout: string; stderr: string }> {
  const ended = Promise.withResolvers<{ status: number; stdout: string; stderr: string }>();
  const options = { env, cwd: directory, signal, maxBuffer: OUTPUT_BYTES_MAX, killSignal: 'SIGKILL' as const };
  const child = execFile(program, [...args], options, (error, stdout, stderr) => {
    if (!error) return ended.resolve({ status: 0, stdout, stderr });
    if (typeof error.code === 'number') return ended.resolve({ status: error.code, stdout, stderr });
    const why = signal.aborted ? 'did not end in time and was killed' : `cannot be run: ${messageOf(error)}`;
    ended.reject(toolFailed(`${program} ${why}`, { cause: error }));
  });
  child.stdin?.end();
  return ended.promise;
}
