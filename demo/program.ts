import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../src/errors.ts';
import type { Part, Parts } from './parts.ts';

/** A process that lives this long counts as running, as with `startsecs` of supervisord. */
const START_MS = 1000;

/** States of a process and their codes. @see https://supervisord.org/subprocess.html#process-states */
export const STATES = { STOPPED: 0, STARTING: 10, RUNNING: 20, STOPPING: 40, EXITED: 100, FATAL: 200 } as const;
export type State = keyof typeof STATES;

/** Fault codes of supervisord. @see https://supervisord.org/api.html */
export const FAULTS = {
  UNKNOWN_METHOD: 1,
  INCORRECT_PARAMETERS: 2,
  BAD_NAME: 10,
  FAILED: 30,
  SPAWN_ERROR: 50,
  ALREADY_STARTED: 60,
  NOT_RUNNING: 70,
} as const;

/** A refusal in supervisord's own terms. */
export class Fault extends Error {
  readonly code: number;
  constructor(name: keyof typeof FAULTS, about: string) {
    super(about ? `${name}: ${about}` : name);
    this.code = FAULTS[name];
  }
}

export interface ProgramOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly log: string;
}

/** How a program is doing; times in Unix seconds, 0 for never. */
export interface Condition {
  readonly state: State;
  readonly pid: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly exitStatus: number;
  readonly spawnError: string;
}

export interface Program {
  readonly name: string;
  readonly log: string;
  condition(): Condition;
  /** Starts it; with `wait`, until it counts as running. @throws Fault where it does not. */
  start(wait: boolean): Promise<true>;
  /** Stops it; with `wait`, until it has ended. @throws Fault where it does not run. */
  stop(wait: boolean): Promise<true>;
}

/** Makes a program that can be started and stopped, and that nobody restarts when it ends by itself. */
export function createProgram(options: ProgramOptions, parts: Parts): Program {
  const { name, log } = options;
  let part: Part | undefined;
  let now: Condition = { state: 'STOPPED', pid: 0, startedAt: 0, endedAt: 0, exitStatus: 0, spawnError: '' };

  const ended = (how: number | NodeJS.Signals) => {
    part = undefined;
    const tooSoon = now.state === 'STARTING';
    now = {
      ...now,
      state: tooSoon ? 'FATAL' : now.state === 'STOPPING' ? 'STOPPED' : 'EXITED',
      pid: 0,
      endedAt: seconds(),
      // supervisord reports -1 for a process that a signal ended.
      exitStatus: typeof how === 'number' ? how : -1,
      spawnError: tooSoon ? 'Exited too quickly (process log may have details)' : '',
    };
  };

  return {
    name,
    log,
    condition: () => now,
    async start(wait) {
      if (now.state === 'RUNNING' || now.state === 'STARTING') throw new Fault('ALREADY_STARTED', name);
      if (now.state === 'STOPPING') throw new Fault('FAILED', name);
      now = { ...now, state: 'STARTING', startedAt: seconds(), endedAt: 0, spawnError: '' };
      try {
        part = await parts.start({ ...options, essential: false });
      } catch (error) {
        now = { ...now, state: 'FATAL', spawnError: messageOf(error) };
        throw new Fault('SPAWN_ERROR', name);
      }
      now = { ...now, pid: part.pid };
      const end = part.ended.then(ended);
      const counted = Promise.race([end, sleep(START_MS)]).then(() => {
        if (now.state === 'STARTING') now = { ...now, state: 'RUNNING' };
      });
      if (!wait) return true;
      await counted;
      if (now.state !== 'RUNNING') throw new Fault('SPAWN_ERROR', name);
      return true;
    },
    async stop(wait) {
      if (!part || now.state === 'STOPPING') throw new Fault('NOT_RUNNING', name);
      now = { ...now, state: 'STOPPING' };
      const stopped = part.stop();
      if (wait) await stopped;
      return true;
    },
  };
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
