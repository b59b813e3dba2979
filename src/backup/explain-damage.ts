import { NightshiftError } from '../errors.ts';
import { newestSnapshot } from './snapshots.ts';

/** Adds to the error about a damaged data directory which snapshot is the newest, and the commands that bring it back. Gives any other error as it is. */
export async function explainDamage(
  error: unknown,
  { dataDir, folder }: { readonly dataDir: string; readonly folder: string },
): Promise<unknown> {
  if (!(error instanceof NightshiftError && error.code === 'data_dir_damaged')) return error;
  const newest = await newestSnapshot(folder).catch(() => null);
  const what = error.message.replace(/ Fix: .*$/s, '');
  const fix = newest
    ? `the newest snapshot is of ${newest.at.toISOString()}; put it back with: mv ${dataDir}/postgres ${dataDir}/postgres.damaged && nightshift restore ${newest.path}`
    : `there is no snapshot in ${folder}. If you have a backup elsewhere: mv ${dataDir}/postgres ${dataDir}/postgres.damaged && nightshift restore FILE`;
  return new NightshiftError('data_dir_damaged', `${what} Fix: ${fix}`, { cause: error });
}
