/** One replica of a run: a real process that is killed, frozen, cut off and started again. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Program, startProgram } from '../real-parts/program.ts';
import type { Kill } from './plan.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_SECONDS = 60;
const RESTARTS_MAX = 40;
/** A supervisor would wait as long before it starts again what would not start. */
const RESTART_MS = 1000;

export type Sabotage = 'forget-intents' | 'answer-early';

/** What the process of a replica is told. */
export interface ReplicaOrder {
  readonly directory: string;
  readonly databaseUrl: string | null;
  readonly settings: object;
  readonly clockOffsetMs: number;
  readonly pointsFile: string;
  readonly sabotage: Sabotage | null;
}

export interface ReplicaOptions extends Omit<ReplicaOrder, 'pointsFile'> {
  readonly url: string;
  /** One for each life, until there are no more. */
  readonly kills: readonly Kill[];
  /** What comes before the program, as `ip netns exec NAME` does. */
  readonly command: readonly string[];
  /** Whether the database may just now be out of reach, so that a start may fail. */
  readonly mayFailToStart: () => boolean;
  readonly onKilled: (kill: Kill | null) => void;
  /** Told of an end that nobody wished for. */
  readonly onCrash: (words: string) => void;
}

export interface Replica {
  readonly url: string;
  /** Whether it listens, as far as is known. */
  serving(): boolean;
  /** Whether it is gone for good. */
  gone(): boolean;
  frozen(): boolean;
  /** Whether a death that is planned may still come, or it is being started. */
  starting(): boolean;
  kill(pauseMs: number | null): Promise<void>;
  freeze(forMs: number): Promise<void>;
  /** What it has said in all of its lives. */
  output(): string;
  points(): ReadonlySet<string>;
  stop(): Promise<void>;
}

/** Starts a replica, and starts it again whenever it has ended, until it is stopped or its death was for good. */
export function startReplica(options: ReplicaOptions): Replica {
  const { directory, url, command, onKilled, onCrash } = options;
  const pointsFile = join(directory, 'points');
  const orderFile = join(directory, 'order.json');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { databaseUrl, settings, clockOffsetMs, sabotage } = options;
  const order: ReplicaOrder = { directory, databaseUrl, settings, clockOffsetMs, pointsFile, sabotage };
  writeFileSync(orderFile, JSON.stringify(order));
  writeFileSync(pointsFile, '');
  let [serving, gone, frozen, stopped, lives] = [false, false, false, false, 0];
  let asked: { pauseMs: number | null } | null = null;
  let program: Program | null = null;
  let said = '';

  async function live(): Promise<void> {
    const kill = options.kills[lives] ?? null;
    lives += 1;
    const [file = process.execPath, ...before] = [...command, process.execPath];
    const args = [...before, join('test', 'chaos', 'nightshift-process.ts')];
    const life = await startProgram(file, args, {
      directory: ROOT,
      env: {
        PATH: process.env.PATH ?? '',
        LANG: 'C.UTF-8',
        NIGHTSHIFT_CHAOS_ORDER: orderFile,
        // Thousands of starts, each of which would compile all of it again.
        NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
        ...(kill ? { NIGHTSHIFT_FAILPOINT: `${kill.point}:${kill.nth}` } : {}),
      },
    });
    program = life;
    const up = life
      .waitForLine(/chaos: it serves/, START_SECONDS)
      .then(() => {
        serving = !stopped;
      })
      .catch(() => {});
    const { code, signal } = await life.exited;
    await up;
    serving = false;
    // Its toolsets end by themselves; what hangs goes with the rest of the group, beside what happens next.
    void life.kill9();
    said += `${life.output()}\n--- life ${lives} ended with ${signal ?? code}\n`;
    if (stopped) return;
    let pauseMs: number | null = RESTART_MS;
    if (asked) {
      pauseMs = asked.pauseMs;
      asked = null;
      onKilled(null);
    } else if (signal === 'SIGKILL' && kill) {
      pauseMs = kill.pauseMs;
      onKilled(kill);
    } else if (!(code === 7 && options.mayFailToStart())) {
      onCrash(`a replica ended by itself with ${signal ?? code}: ${said.slice(-1500)}`);
    }
    if (pauseMs === null || lives > RESTARTS_MAX) {
      gone = true;
      return;
    }
    await sleep(pauseMs);
    if (!stopped) void live();
  }
  void live();

  const signal = (name: NodeJS.Signals) => {
    try {
      if (program) process.kill(program.pid, name);
    } catch {
      // It has ended meanwhile.
    }
  };
  return {
    url,
    serving: () => serving && !frozen,
    gone: () => gone,
    frozen: () => frozen,
    starting: () => !serving && !gone,
    async kill(pauseMs) {
      if (!serving) return;
      asked = { pauseMs };
      signal('SIGKILL');
      await program?.exited;
    },
    async freeze(forMs) {
      frozen = true;
      signal('SIGSTOP');
      await sleep(forMs);
      signal('SIGCONT');
      frozen = false;
    },
    output: () => `${said}${program?.output() ?? ''}`,
    points: () => new Set(readFileSync(pointsFile, 'utf8').split('\n').filter(Boolean)),
    async stop() {
      stopped = true;
      signal('SIGCONT');
      await program?.kill9();
    },
  };
}
