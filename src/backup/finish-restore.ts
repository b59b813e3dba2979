import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { placeDataFiles, stagedDumps } from './data-files.ts';

/**
 * Places the small files of a restore that was cut off after its rows were committed; files of one that never came so far stay where they are,
 * and are named in the log. @throws NightshiftError `conflict` where another file is there by now.
 */
export async function finishRestore(
  db: Database,
  { dataDir, log }: { readonly dataDir: string; readonly log: Logger },
): Promise<void> {
  for (const sha256 of stagedDumps(dataDir)) {
    const files = `${dataDir}/*.restored-${sha256}`;
    // Whatever was restored before belongs to the past of that backup.
    const { rows } = await sql<{ sha256: string }>`
      select data ->> 'sha256' as sha256 from event where type = 'backup.restored' order by id desc limit 1`.execute(
      db.q,
    );
    if (rows[0]?.sha256 === sha256) {
      const kept = await placeDataFiles(dataDir, sha256);
      log.info({ files, kept }, 'the restore of this database was cut off; its files are in their places now');
    } else log.warn({ files }, 'left by a restore into another database, or one that came to nothing; remove them');
  }
}
