import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const STOP_MS_MAX = 5000;
/** What a process wrote last may be read only after its end is known. */
const LAST_WORDS_MS = 500;
const TAIL_LENGTH = 1500;

/** A running child process, leader of a process group of its own. */
export interface Part {
  readonly pid: number;
  /** Settles when it has ended, with the exit code or the name of the signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** The end of what it wrote to standard error. */
  tail(): string;
  /** Asks it to end, insists after five seconds, and leaves nothing of its group behind. */
  stop(): Promise<void>;
}

export interface PartOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** File for standard output, and for standard error too unless `onStderr` takes that. */
  readonly log: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly onStderr?: (line: string) => void;
  /** True for a part that the demo cannot go on without. */
  readonly essential: boolean;
}

/** Every child process of the demo. */
export interface Parts {
  /** @throws Error when it cannot be started, or the demo is stopping. */
  start(options: PartOptions): Promise<Part>;
  stop(): Promise<void>;
}

/** Makes the keeper of all child processes; `fail` hears of an essential one that ends by itself. */
export function createParts(fail: (reason: string) => void): Parts {
  const running = new Map<Part, string>();
  let stopping = false;
  const leash = startLeash();

  async function start(options: PartOptions): Promise<Part> {
    if (stopping) throw new Error('the demo is stopping');
    const { name, command, args, log, env = plainEnvironment(), onStderr, essential } = options;
    const file = openSync(log, 'a', 0o600);
    // A group of its own: Ctrl-C in the terminal reaches only the demo, which then stops its parts in order.
    const child = spawn(command, args, { detached: true, env, stdio: ['ignore', file, onStderr ? 'pipe' : file] });
    closeSync(file);
    const ended = new Promise<number | NodeJS.Signals>((resolve) =>
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 0)),
    );
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    leash.hold(pid);
    if (stopping) {
      signalTo(-pid, 'SIGKILL');
      throw new Error('the demo is stopping');
    }
    const said = onStderr ? collectLines(child, onStderr) : () => readFileSync(log, 'utf8');
    const part: Part = {
      pid,
      ended,
      tail: () => said().trim().slice(-TAIL_LENGTH),
      async stop() {
        signalTo(pid, 'SIGTERM');
        const late = setTimeout(() => signalTo(-pid, 'SIGKILL'), STOP_MS_MAX);
        await ended;
        clearTimeout(late);
      },
    };
    running.set(part, name);
    const lastWords = once(child, 'close');
    void ended.then(async (how) => {
      running.delete(part);
      signalTo(-pid, 'SIGKILL');
      leash.drop(pid);
      await Promise.race([lastWords, sleep(LAST_WORDS_MS)]);
      if (essential && !stopping) fail(`${name} ended by itself (${how}), its log is ${log}\n${part.tail()}`);
    });
    return part;
  }

  return {
    start,
    async stop() {
      stopping = true;
      await Promise.all([...running.keys()].map((part) => part.stop()));
      await leash.release();
    },
  };
}

/** What programs need of the environment; only Nightshift gets the whole, because it may hold keys of models. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, LANG, TMPDIR } = process.env;
  return Object.fromEntries(Object.entries({ PATH, HOME, LANG, TMPDIR }).filter(([, value]) => value !== undefined));
}

function collectLines(child: ChildProcess, onLine: (line: string) => void): () => string {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-20_000);
    for (const line of text.split('\n')) if (line.trim()) onLine(line.trim());
  });
  return () => said;
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

/** Starts the process that ends every held group should the demo itself be killed, which it cannot notice by itself. */
function startLeash() {
  const leash = spawn(process.execPath, [join(import.meta.dirname, 'leash.ts')], {
    detached: true,
    env: plainEnvironment(),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  leash.stdin.on('error', () => {});
  const ended = new Promise<void>((resolve) => leash.once('exit', () => resolve()).once('error', () => resolve()));
  return {
    hold: (pid: number) => leash.stdin.write(`hold ${pid}\n`),
    drop: (pid: number) => leash.stdin.write(`drop ${pid}\n`),
    async release() {
      leash.stdin.end();
      await ended;
    },
  };
}
