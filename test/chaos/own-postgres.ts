/** A Postgres of a run's own, which may be ended, crash, stand still, or find its disk full. Needs root and what .ci/install-real-parts sets up. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../real-parts/program.ts';

const ROOT = join(process.env.NIGHTSHIFT_CACHE ?? '/var/cache/nightshift', 'postgres-17');
const BIN = '/usr/lib/postgresql/17/bin';
const AS_POSTGRES = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'];
/** Small write-ahead files, so that many clusters fit into memory. */
const DISK = '320m';
const PASSWORD = 'nightshift';

/** What a harness that is ended halfway must not leave behind. */
const left = new Set<() => void>();
const servers = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of servers) child.kill('SIGQUIT');
  for (const remove of left) remove();
});

export interface OwnPostgres {
  readonly url: string;
  /** Ends it, politely or not, and starts it again after a while. */
  restart(how: 'fast' | 'immediate', downMs: number): Promise<void>;
  /** Stops all of its processes where they stand, and lets them go on after a while. */
  pause(forMs: number): Promise<void>;
  /** Takes what is left of its disk, and gives it back after a while. */
  fillDisk(forMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** Whether this machine can have one; it says why not otherwise. */
export function whyNoOwnPostgres(): string | null {
  if (process.getuid?.() !== 0) return 'a Postgres of its own needs root';
  return existsSync(join(ROOT, BIN, 'initdb'))
    ? null
    : `there is no Postgres in ${ROOT}; .ci/install-real-parts puts one there`;
}

/**
 * Makes a cluster that `copy` starts again and again from what `fill` put into its database `nightshift`; it is made once.
 * @throws Error where it cannot be made.
 */
export async function createClusterTemplate(
  fill: (url: string) => Promise<void>,
): Promise<{ start(): Promise<OwnPostgres>; remove(): void }> {
  const template = inRoot(`template-${process.pid}`);
  const removeTemplate = () => {
    left.delete(removeTemplate);
    rmSync(template.outside, { recursive: true, force: true });
  };
  left.add(removeTemplate);
  mkdirSync(template.outside, { recursive: true });
  chown(template.inside);
  const words = inRoot(`words-${process.pid}`);
  writeFileSync(words.outside, PASSWORD);
  asPostgres(
    `${BIN}/initdb`,
    '-D',
    `${template.inside}/data`,
    '-U',
    'nightshift',
    '-A',
    'scram-sha-256',
    `--pwfile=${words.inside}`,
    '--wal-segsize=1',
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
  );
  rmSync(words.outside);
  const first = await run(template);
  try {
    const url = new URL(first.url);
    url.pathname = '/postgres';
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    await client.query('create database nightshift');
    await client.end();
    await fill(first.url);
  } finally {
    await first.end('fast');
  }
  let serial = 0;
  return {
    async start() {
      serial += 1;
      const place = inRoot(`${process.pid}-${serial}`);
      mkdirSync(place.outside, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'nightshift-chaos', place.outside]);
      const remove = () => {
        left.delete(remove);
        execFileSync('umount', ['--lazy', place.outside]);
        rmSync(place.outside, { recursive: true, force: true });
      };
      left.add(remove);
      try {
        execFileSync('cp', ['-a', `${template.outside}/data`, `${place.outside}/data`]);
        chown(place.inside);
        return ownPostgres(place, await run(place), remove);
      } catch (error) {
        remove();
        throw error;
      }
    },
    remove: removeTemplate,
  };
}

interface Place {
  readonly outside: string;
  readonly inside: string;
}

function inRoot(name: string): Place {
  return { outside: join(ROOT, 'tmp', `nightshift-chaos-${name}`), inside: `/tmp/nightshift-chaos-${name}` };
}

function asPostgres(...command: string[]): void {
  execFileSync('chroot', [ROOT, ...AS_POSTGRES, ...command], { stdio: 'pipe' });
}

function chown(inside: string): void {
  execFileSync('chroot', [ROOT, 'chown', 'postgres:postgres', inside], { stdio: 'pipe' });
}

interface Running {
  readonly url: string;
  readonly pid: number;
  end(how: 'fast' | 'immediate'): Promise<void>;
}

async function run(place: Place, at?: number): Promise<Running> {
  const port = at ?? (await freePort());
  const child: ChildProcess = spawn(
    'chroot',
    [
      ROOT,
      ...AS_POSTGRES,
      `${BIN}/postgres`,
      '-D',
      `${place.inside}/data`,
      '-p',
      String(port),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
      '-c',
      'min_wal_size=2MB',
      '-c',
      'max_wal_size=32MB',
      '-c',
      'shared_buffers=32MB',
      '-c',
      'max_connections=100',
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  servers.add(child);
  child.once('exit', () => servers.delete(child));
  const pid = child.pid ?? 0;
  const url = `postgres://nightshift:${PASSWORD}@127.0.0.1:${port}/nightshift`;
  for (let tries = 0; ; tries += 1) {
    if (await accepts(url)) break;
    if (tries > 300 || child.exitCode !== null)
      throw new Error(`a Postgres of a run's own does not start (${child.exitCode})`);
    await sleep(100);
  }
  return {
    url,
    pid,
    async end(how) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      process.kill(pid, how === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await gone;
    },
  };
}

async function accepts(url: string): Promise<boolean> {
  const any = new URL(url);
  any.pathname = '/postgres';
  const client = new pg.Client({ connectionString: any.href });
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

function ownPostgres(place: Place, first: Running, remove: () => void): OwnPostgres {
  let running = first;
  const port = Number(new URL(first.url).port);
  return {
    url: first.url,
    async restart(how, downMs) {
      await running.end(how);
      await sleep(downMs);
      running = await run(place, port);
    },
    async pause(forMs) {
      const all = [running.pid, ...childrenOf(running.pid)];
      for (const pid of all) signal(pid, 'SIGSTOP');
      await sleep(forMs);
      for (const pid of all) signal(pid, 'SIGCONT');
    },
    async fillDisk(forMs) {
      const filler = join(place.outside, 'filler');
      try {
        // It ends with an error, because it wants more than there is.
        execFileSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1M', 'count=4096'], { stdio: 'ignore' });
      } catch {
        // As it should.
      }
      await sleep(forMs);
      rmSync(filler, { force: true });
      // A checkpoint or a commit that met the full disk may have ended it: whoever runs it starts it again.
      if (!(await accepts(running.url))) {
        await running.end('immediate');
        running = await run(place, port);
      }
    },
    async stop() {
      signal(running.pid, 'SIGCONT');
      await running.end('immediate');
      remove();
    },
  };
}

/** Backends are children of the one process that was started here. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}
