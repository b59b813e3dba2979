import { createHash } from 'node:crypto';
import type { Database } from '../database/index.ts';

/**
 * A signature can come with a clock that is five minutes behind and again with one five minutes ahead, ten minutes later; the rest
 * is for replicas whose clocks differ.
 */
const KEPT_MS = 15 * 60_000;
const PRUNE_EVERY_MS = 60_000;

/** Tells whether none of these keys (a signature, an envelope's or an event's id) was ever heard before, on any replica. */
export type HearOnce = (keys: readonly string[]) => Promise<boolean>;

/** Makes the memory of what was heard, a table that all replicas share; whatever the database throws means: do not act. */
export function createHearOnce(db: Database, now: () => Date): HearOnce {
  let prunedAt = 0;
  return async (keys) => {
    const seenAt = now();
    if (keys.length === 0) return false;
    if (seenAt.getTime() - prunedAt > PRUNE_EVERY_MS) {
      prunedAt = seenAt.getTime();
      const before = new Date(seenAt.getTime() - KEPT_MS);
      await db.q.deleteFrom('slack_request').where('seen_at', '<', before).execute();
    }
    const rows = [...new Set(keys)].map((key) => ({ sha256: sha256(key), seen_at: seenAt }));
    const inserted = await db.q
      .insertInto('slack_request')
      .values(rows)
      .onConflict((conflict) => conflict.column('sha256').doNothing())
      .returning('sha256')
      .execute();
    return inserted.length === rows.length;
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
