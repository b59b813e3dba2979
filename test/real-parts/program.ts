import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const OUTPUT_MAX = 200_000;
const STOP_SECONDS = 25;
const ORPHAN_SECONDS = 2;

/** Stories run side by side in one process, and a port is given out some time before it is used. */
const given = new Set<number>();

/**
 * Gives a loopback port that was free a moment ago. It lies below the range from which systems hand out ports by
 * themselves, so that no connection or other server can get it before the caller uses it.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (given.has(port)) continue;
    const server = createServer();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      given.add(port);
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    } finally {
      server.close();
    }
  }
  throw new Error('found no free port on 127.0.0.1 from 15000 to 31999');
}

/** Makes a directory of its own for one test, by its real path, and the function that removes it. */
export function scratchDirectory(): { path: string; remove: () => void } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'nightshift-test-')));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Asks again and again until the answer is not undefined; fails after `seconds`, with the last failure if there was one. */
export async function eventually<T>(
  what: string | (() => string),
  ask: () => Promise<T | undefined>,
  seconds = 45,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    let cause: unknown;
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      cause = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited ${seconds} s in vain: ${typeof what === 'string' ? what : what()}`, { cause });
    }
    await sleep(50);
  }
}

/** How a program ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program that runs for the length of a test, in a process group of its own. */
export interface Program {
  readonly pid: number;
  /** What it has written to standard output and standard error so far; of very much, the end. */
  readonly output: () => string;
  readonly exited: Promise<Exit>;
  /** Waits until its output matches. @throws Error with its output when it ends before, or after `seconds`. */
  readonly waitForLine: (pattern: RegExp, seconds?: number) => Promise<RegExpExecArray>;
  /** Waits until a GET answers with a 2xx. @throws Error with its output when it ends before, or after `seconds`. */
  readonly waitForUrl: (url: string, options?: { headers?: Record<string, string>; seconds?: number }) => Promise<void>;
  /** Ends it by SIGTERM, after 25 s by force, and then whatever it has left of its group. */
  readonly stop: () => Promise<void>;
  /** Ends it by SIGKILL, and after 2 s whatever it has left of its group. */
  readonly kill9: () => Promise<void>;
}

export interface ProgramOptions {
  readonly directory: string;
  /** The whole environment; without it, this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

const running = new Set<number>();
// A test that fails halfway must not leave its programs behind.
process.on('exit', () => {
  for (const pid of running) signalGroup(pid, 'SIGKILL');
});

/** Starts a program and collects what it says. @throws Error when it cannot be started at all. */
export async function startProgram(
  command: string,
  args: readonly string[],
  { directory, env }: ProgramOptions,
): Promise<Program> {
  const child: ChildProcess = spawn(command, args, {
    cwd: directory,
    env: env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let said = '';
  let exit: Exit | null = null;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      said = (said + chunk).slice(-OUTPUT_MAX);
    });
  }
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = { code, signal };
      running.delete(child.pid ?? 0);
      resolve(exit);
    });
  });
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  running.add(pid);

  const situation = (what: string) => {
    const ended = exit ? `it ended with ${exit.signal ?? exit.code}` : 'it runs';
    return `${command} ${what}; ${ended}; it said:\n${said.slice(-4000)}`;
  };
  const waitFor = async <T>(what: string, ask: () => Promise<T | undefined>, seconds: number): Promise<T> => {
    const found = await eventually(
      () => situation(what),
      async () => (await ask()) ?? (exit ? null : undefined),
      seconds,
    );
    if (found === null) throw new Error(situation(what));
    return found;
  };
  const end = async (signal: NodeJS.Signals) => {
    if (!exit) process.kill(pid, signal);
    const late = setTimeout(() => signalGroup(pid, 'SIGKILL'), STOP_SECONDS * 1000);
    await exited;
    clearTimeout(late);
    // Its children are told nothing, as when a machine's own means end it; those that have not noticed by then have to go.
    for (let waited = 0; waited < ORPHAN_SECONDS && signalGroup(pid, 0); waited += 0.05) await sleep(50);
    signalGroup(pid, 'SIGKILL');
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  return {
    pid,
    output: () => said,
    exited,
    waitForLine: (pattern, seconds = 20) =>
      waitFor(`has not said ${pattern}`, async () => pattern.exec(said) ?? undefined, seconds),
    waitForUrl: (url, { headers = {}, seconds = 20 } = {}) =>
      waitFor(
        `does not answer at ${url}`,
        async () => {
          const response = await fetch(url, { headers, signal: AbortSignal.timeout(5000) }).catch(() => null);
          await response?.body?.cancel();
          return response?.ok || undefined;
        },
        seconds,
      ).then(() => {}),
    stop: () => end('SIGTERM'),
    kill9: () => end('SIGKILL'),
  };
}

/** Signals a process group, 0 to none of its members but only to ask; tells whether it has members. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}
