import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { type Failpoint, noFailpoint } from '../failpoints.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { COPY_PREFIX, type Dumper } from './dumper.ts';

const HOUR_MS = 3_600_000;
/** After a failure, or a start at which one is due already. */
const SOON_MS = 10 * 60_000;
const NAME = /^nightshift-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.dump\.gz$/;
/** What a process that died has left, and no other could still be at: its own snapshots, and backups that were asked for over the API. */
const LEFTOVER =
  /^(nightshift-\d{8}T\d{6}Z\.dump\.gz\.\d+\.part|\.nightshift-asked-[0-9a-f]{16}\.dump\.gz(\.\d+\.part)?)$/;
const LEFTOVER_AGE_MS = 24 * HOUR_MS;

export interface Snapshots {
  start(): void;
  /** Ends the one that is under way. */
  stop(): Promise<void>;
  /** Takes one now, then deletes what is too old. Never throws: a failure is in the log and the metrics. */
  takeNow(): Promise<void>;
}

export interface SnapshotsDependencies {
  readonly dumper: Dumper;
  readonly config: { readonly everyHours: number; readonly keep: number; readonly folder: string };
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly now?: () => Date;
  readonly failpoint?: Failpoint;
}

/** Makes what takes a backup every so many hours, counted from the newest one that is there. */
export function createSnapshots({
  dumper,
  config: { everyHours, keep, folder },
  metrics,
  log,
  now = () => new Date(),
  failpoint = noFailpoint,
}: SnapshotsDependencies): Snapshots {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function takeNow(): Promise<void> {
    const path = join(
      folder,
      `nightshift-${now()
        .toISOString()
        .replace(/[-:]|\.\d+/g, '')}.dump.gz`,
    );
    const began = performance.now();
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await removeLeftovers(folder, now());
      failpoint('snapshot.before-dump');
      const { rows, bytes } = await dumper.dump(path, { withFiles: true });
      failpoint('snapshot.after-dump');
      const seconds = Math.round(performance.now() - began) / 1000;
      log.info({ path, rows, bytes, seconds }, 'snapshot taken');
      metrics.snapshots.inc({ outcome: 'taken' });
      metrics.snapshotAt.set(now().getTime() / 1000);
      for (const name of (await listSnapshots(folder)).slice(keep)) await rm(join(folder, name), { force: true });
    } catch (error) {
      if (stopped) return;
      log.error({ error: messageOf(error) }, 'no snapshot could be taken; it is tried again');
      metrics.snapshots.inc({ outcome: 'failed' });
    }
  }

  async function plan(failed: boolean): Promise<void> {
    const newest = await newestSnapshot(folder).catch(() => null);
    if (stopped) return;
    metrics.snapshotAt.set(newest ? newest.at.getTime() / 1000 : 0);
    const due = newest ? newest.at.getTime() + everyHours * HOUR_MS - now().getTime() : 0;
    // A clock that was set back must not put it off for years; nor can a timer wait longer than 24 days.
    const wait = Math.min(
      Math.max(due, failed || due < 0 || !newest ? SOON_MS : 0),
      everyHours * HOUR_MS,
      24 * 24 * HOUR_MS,
    );
    timer = setTimeout(() => void turn(), wait);
    timer.unref();
  }

  async function turn(): Promise<void> {
    const newest = await newestSnapshot(folder).catch(() => null);
    const isDue = !newest || Math.abs(now().getTime() - newest.at.getTime()) >= everyHours * HOUR_MS - 1000;
    if (isDue) await takeNow();
    const after = await newestSnapshot(folder).catch(() => null);
    if (!stopped) await plan(isDue && after?.path === newest?.path);
  }

  return {
    start() {
      // Also where none are taken by the clock; a folder that is not there has none.
      void removeLeftovers(folder, now()).catch(() => {});
      if (everyHours > 0) void plan(false);
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await dumper.stop();
    },
    takeNow,
  };
}

/** Finds the newest snapshot in a folder, or null where there is none, or no folder. */
export async function newestSnapshot(folder: string): Promise<{ path: string; at: Date } | null> {
  const [name] = await listSnapshots(folder);
  if (name === undefined) return null;
  const [, year, month, day, hour, minute, second] = NAME.exec(name) ?? [];
  return { path: join(folder, name), at: new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) };
}

/** The newest first; what somebody else has put there, or named otherwise, is not ours to count or to delete. */
async function listSnapshots(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .filter((name) => NAME.test(name))
    .sort()
    .reverse();
}

async function removeLeftovers(folder: string, now: Date): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!LEFTOVER.test(name) && !name.startsWith(COPY_PREFIX)) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path);
    if (now.getTime() - mtimeMs > LEFTOVER_AGE_MS) await rm(path, { recursive: true, force: true });
  }
}
