import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { constants, setPriority } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';

const LOOK_EVERY_MS = 300;
/** Of what a failed build says, the end tells why. */
const SAID_MAX = 1500;

interface Build {
  readonly web: string;
  readonly dist: string;
  readonly signal: AbortSignal;
  readonly onProgress: (step: string) => void;
}

/**
 * Builds the console by Vite in a process of its own, where it is missing or older than its sources; gives whether it did. Where Vite is
 * not installed, as in the npm package, what is there is taken as it is.
 * @throws NightshiftError `internal` with the end of what Vite said, or where there is neither a built console nor a Vite.
 */
export async function buildConsole({ web, dist, signal, onProgress }: Build): Promise<boolean> {
  if (await isFresh(web, dist)) return false;
  const vite = viteOf(web);
  if (vite === null) {
    if (existsSync(join(dist, 'index.html'))) return false;
    throw new NightshiftError(
      'internal',
      `${dist} is missing and Vite, which makes it, is not installed. Fix: npm install`,
    );
  }
  // Several that start at once from one clone build it once.
  const lock = join(web, '.lock');
  let unlock = lockFile(lock);
  while (unlock === null) {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
    if (await isFresh(web, dist)) return false;
    unlock = lockFile(lock);
  }
  const [made, old] = [join(web, '.dist-new'), join(web, '.dist-old')];
  const clear = () => Promise.all([made, old].map((path) => rm(path, { recursive: true, force: true })));
  try {
    // Of a builder that was killed.
    await clear();
    onProgress('building the console in the background (the first time takes some seconds)');
    await runVite(vite, { web, made, signal });
    // Whole or not at all: the old one goes only once the new one is there.
    await rename(dist, old).catch(() => {});
    await rename(made, dist);
    return true;
  } finally {
    await clear();
    unlock();
  }
}

/** Tells whether the page was built after everything that it is made from, its libraries among it, was changed last. */
async function isFresh(web: string, dist: string): Promise<boolean> {
  const built = await stat(join(dist, 'index.html')).catch(() => null);
  if (!built) return false;
  const libraries = await stat(join(web, '../package-lock.json')).catch(() => null);
  if ((libraries?.mtimeMs ?? 0) > built.mtimeMs) return false;
  const entries = await readdir(web, { recursive: true, withFileTypes: true });
  for (const { parentPath, name } of entries.filter((entry) => entry.isFile())) {
    const path = join(parentPath, name);
    if (/^[/\\]?(dist[/\\]|\.)/.test(path.slice(web.length + 1))) continue;
    // It may be gone by now: another build ends.
    if (((await stat(path).catch(() => null))?.mtimeMs ?? 0) > built.mtimeMs) return false;
  }
  return true;
}

function viteOf(web: string): string | null {
  try {
    const manifest = createRequire(join(web, 'vite.config.ts')).resolve('vite/package.json');
    return join(dirname(manifest), 'bin/vite.js');
  } catch {
    return null;
  }
}

async function runVite(
  vite: string,
  { web, made, signal }: { web: string; made: string; signal: AbortSignal },
): Promise<void> {
  const child = spawn(
    process.execPath,
    [vite, 'build', web, '--outDir', made, '--configLoader', 'native', '--logLevel', 'warn'],
    {
      cwd: web,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production', NO_COLOR: '1' },
      signal,
    },
  );
  // Incidents come first.
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-SAID_MAX);
    });
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  if (code !== 0)
    throw new NightshiftError(
      'internal',
      `vite build ended with ${code}. Fix: npm run console. It said: ${said.trim()}`,
    );
}
