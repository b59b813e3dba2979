/** What the systems of one run's world do and answer: a file, because the tools' processes are others. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Scene {
  /** What a tool answers, as JSON text, by its name; `read` stands for every reading tool that is not named. */
  readonly answers?: Readonly<Record<string, string>>;
  /** Whether the workload is well from the start. */
  readonly healthy?: boolean;
  /** Tools after whose run the workload is well. */
  readonly healedBy?: readonly string[];
  /** What a look at the target before a run finds. */
  readonly uid?: string;
  readonly population?: { readonly group: string; readonly members: number; readonly affects: number };
  /** Tools that do their work and then never answer. */
  readonly lostReplies?: readonly string[];
  /** How long the tools take to answer. */
  readonly delayMs?: number;
  /** What the foreign server says without being asked, as whole JSON-RPC lines, before it answers a call. */
  readonly unasked?: readonly string[];
}

const folder = (world: string) => join(world, 'scenes');

/** Sets a run's scene, at once and as a whole. */
export function setScene(world: string, run: string, scene: Scene): void {
  mkdirSync(folder(world), { recursive: true });
  const path = join(folder(world), `${run}.json`);
  writeFileSync(`${path}.new`, JSON.stringify(scene));
  renameSync(`${path}.new`, path);
}

/** Gives a run's scene, the usual one where none was set. */
export function sceneOf(world: string, run: string | null): Scene {
  if (run === null) return {};
  try {
    return JSON.parse(readFileSync(join(folder(world), `${run}.json`), 'utf8')) as Scene;
  } catch {
    return {};
  }
}

/** Marks a run's workload as well from now on, whatever its tools say. */
export function heal(world: string, run: string): void {
  mkdirSync(folder(world), { recursive: true });
  writeFileSync(join(folder(world), `${run}.healed`), '');
}

/** Tells whether a run's workload is well. */
export function isHealthy(world: string, run: string | null): boolean {
  return run !== null && (sceneOf(world, run).healthy === true || existsSync(join(folder(world), `${run}.healed`)));
}
