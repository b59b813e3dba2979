import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { copyEmbedded, type Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { DATA_FILES } from './data-files.ts';

const STDERR_KEPT = 2000;
/** Left free on the disk beside what a dump takes: the database that goes on working needs some as well. */
const SPARE_BYTES = 256 * 1024 * 1024;
const DUMP_PROCESS = join(import.meta.dirname, `dump-process${extname(import.meta.filename)}`);
export const COPY_PREFIX = '.nightshift-copy-';

export interface Dumper {
  /**
   * Writes a dump of this running Nightshift into a file; with the small files of its data directory, or without. One after another.
   * @throws Error when it could not be written; nothing is left of it then.
   */
  dump(path: string, options: { readonly withFiles: boolean }): Promise<{ rows: number; bytes: number }>;
  /** Ends the dump that is under way, if there is one; none begins after it. */
  stop(): Promise<void>;
}

export interface DumperDependencies {
  readonly db: Database;
  readonly dataDir: string;
  readonly databaseUrl: string | null;
}

/**
 * Makes what dumps the database of a running Nightshift without holding it up: a process of its own reads Postgres, or a copy of the embedded
 * database's files, which has one session only and would be busy for as long as a dump takes.
 */
export function createDumper({ db, dataDir, databaseUrl }: DumperDependencies): Dumper {
  const stopping = new AbortController();
  let turn: Promise<unknown> = Promise.resolve();

  async function dump(path: string, withFiles: boolean): Promise<{ rows: number; bytes: number }> {
    stopping.signal.throwIfAborted();
    const folder = dirname(path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (databaseUrl !== null) return run([dataDir, path, withFiles ? 'with-files' : ''], databaseUrl);
    await refuseWithoutRoom(folder, join(dataDir, 'postgres'));
    const copy = await mkdtemp(join(folder, COPY_PREFIX));
    try {
      // Before the rows, so that no head of the audit is newer than they are.
      for (const name of withFiles ? DATA_FILES : [])
        await copyFile(join(dataDir, name), join(copy, name)).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        });
      await copyEmbedded(db, dataDir, copy);
      return await run([copy, path, withFiles ? 'with-files' : ''], null);
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  }

  async function run(argv: readonly string[], url: string | null): Promise<{ rows: number; bytes: number }> {
    const child = spawn(process.execPath, [DUMP_PROCESS, ...argv], {
      // Not the command line, which everybody on this machine can read; beside it what a connection goes by.
      env: url === null ? {} : { ...connectionVariables(), DATABASE_URL: url },
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: stopping.signal,
    });
    let [said, told] = ['', ''];
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    child.stderr.on('data', (chunk) => {
      told = `${told}${chunk}`.slice(-STDERR_KEPT);
    });
    const [code, signal] = await ended(child, `${argv[1]}.${child.pid}.part`);
    if (code !== 0) throw new Error(`the process that dumps ended with ${code ?? signal}: ${told}`);
    const { rows, bytes } = JSON.parse(said) as { rows: Record<string, number>; bytes: number };
    return { rows: Object.values(rows).reduce((sum, count) => sum + count, 0), bytes };
  }

  return {
    dump(path, { withFiles }) {
      const dumped = turn.then(() => dump(path, withFiles));
      turn = dumped.catch(() => {});
      return dumped;
    },
    async stop() {
      stopping.abort();
      await turn;
    },
  };
}

/** What Postgres's clients read where a URL leaves it out, and Node.js where it trusts an authority. */
function connectionVariables(): Record<string, string | undefined> {
  const isOne = (name: string) => name.startsWith('PG') || name === 'HOME' || name === 'NODE_EXTRA_CA_CERTS';
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => isOne(name)));
}

/** Waits for the end of the process, and takes away what it left unfinished where it was killed. */
async function ended(child: ChildProcess, part: string): Promise<[number | null, string | null]> {
  try {
    return (await once(child, 'close')) as [number | null, string | null];
  } finally {
    await rm(part, { force: true });
  }
}

/** A full disk stops the database itself, so a backup that might fill it is not begun. */
async function refuseWithoutRoom(folder: string, database: string): Promise<void> {
  const entries = await readdir(database, { recursive: true, withFileTypes: true });
  let needed = SPARE_BYTES;
  for (const entry of entries)
    if (entry.isFile()) needed += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size;
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= needed) return;
  const [has, needs] = [bavail * bsize, needed].map((bytes) => `${Math.ceil(bytes / 1024 / 1024)} MiB`);
  throw new NightshiftError(
    'conflict',
    `a backup would take up to ${needs}, and ${folder} has ${has} left. Fix: make room there, or set backup.folder to another disk`,
  );
}
