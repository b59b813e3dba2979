import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyEmbedded, throwawayDatabaseUrl } from '../../test/real-parts/databases.ts';
import { type Nightshift, startNightshift } from '../../test/real-parts/nightshift.ts';
import { scratchDirectory } from '../../test/real-parts/program.ts';

export type Kind = 'postgres' | 'embedded';

/** A Nightshift in a process of its own on a new database, which goes with it. */
export interface Server {
  readonly nightshift: Nightshift;
  readonly dataDir: string;
  /** Null for the embedded database, which nobody else can open. */
  readonly databaseUrl: string | null;
  /** The most memory that the process has had so far, in MiB. */
  peakMiB(): number;
  remove(): Promise<void>;
}

/** Starts a Nightshift that observes, without models and runbooks; `correlation` is that section of its configuration. */
export async function startServer(kind: Kind, correlation: object): Promise<Server> {
  const directory = scratchDirectory();
  const database = kind === 'postgres' ? await throwawayDatabaseUrl() : null;
  if (!database) await copyEmbedded(directory.path);
  const removeData = async () => {
    directory.remove();
    await database?.drop();
  };
  try {
    const runbooks = join(directory.path, 'runbooks');
    mkdirSync(runbooks);
    const nightshift = await startNightshift({
      dataDir: directory.path,
      config: { mode: 'observe', runbooks: [runbooks], limits: { concurrency: 1 }, correlation },
      env: {
        ...(database ? { DATABASE_URL: database.url } : {}),
        // Lets a profile be taken of it.
        ...(process.env.BENCH_NODE_OPTIONS ? { NODE_OPTIONS: process.env.BENCH_NODE_OPTIONS } : {}),
      },
    });
    return {
      nightshift,
      dataDir: directory.path,
      databaseUrl: database?.url ?? null,
      peakMiB: () => peakOf(nightshift.pid),
      async remove() {
        await nightshift.kill9();
        await removeData();
      },
    };
  } catch (error) {
    await removeData();
    throw error;
  }
}

/** @see https://docs.kernel.org/filesystems/proc.html (VmHWM) */
function peakOf(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}
