import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { lockDataDir } from '../src/database/lock.ts';
import { NightshiftError } from '../src/errors.ts';
import { DemoFailure } from './ending.ts';

/** The lock goes when nothing refers to it any more, so it is kept here for as long as this process runs. */
const kept: (() => void)[] = [];

const clientSchema = z.object({ pid: z.number() });

/**
 * Makes an empty `.nightshift/demo` below a directory, without what an earlier demo left there, and gives its real path.
 * No other demo can do the same there until this process has ended.
 * @throws DemoFailure where another demo, or the Nightshift of an earlier one, still uses it.
 */
export function clearStage(directory: string): string {
  const path = join(directory, '.nightshift', 'demo');
  kept.push(hold(`${path}-lock`, 'another demo runs in this directory'));
  if (existsSync(path)) {
    hold(path, 'the Nightshift of an earlier demo still runs')();
    rmSync(path, { recursive: true });
  }
  mkdirSync(path, { recursive: true, mode: 0o700 });
  // The host tools want the path of a directory itself, without any link in it.
  return realpathSync(path);
}

function hold(path: string, otherwise: string): () => void {
  try {
    return lockDataDir(path);
  } catch (error) {
    if (!(error instanceof NightshiftError)) throw error;
    const pid = readOr(join(path, 'lock.pid'), '').trim();
    const fix = pid ? `stop it (Ctrl-C in its terminal, or: kill ${pid})` : 'stop it';
    throw new DemoFailure(`${otherwise}${pid ? ` (process ${pid})` : ''}. Fix: ${fix}, then start the demo again`);
  }
}

/**
 * Gives how a person addresses the demo's Nightshift from another terminal in the same directory: `npm run nightshift --`,
 * with a variable in front where that alone would reach another Nightshift.
 */
export function commandPrefix(directory: string, env: NodeJS.ProcessEnv): string {
  const root = join(import.meta.dirname, '..');
  const command = realpathSync(directory) === root ? 'npm run nightshift --' : `node ${join(root, 'src', 'main.ts')}`;
  if (env.NIGHTSHIFT_URL) return `NIGHTSHIFT_URL= NIGHTSHIFT_DATA_DIR=.nightshift/demo ${command}`;
  const elsewhere = env.NIGHTSHIFT_DATA_DIR !== undefined || isLive(join(directory, '.nightshift', 'client.json'));
  return elsewhere ? `NIGHTSHIFT_DATA_DIR=.nightshift/demo ${command}` : command;
}

function isLive(clientFile: string): boolean {
  try {
    process.kill(clientSchema.parse(JSON.parse(readFileSync(clientFile, 'utf8'))).pid, 0);
    return true;
  } catch {
    return false;
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
