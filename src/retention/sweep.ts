import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { type Failpoint, noFailpoint } from '../failpoints.ts';

/** What one batch did; `more` where another one may find something. */
export interface Swept {
  readonly deleted: number;
  readonly more: boolean;
}

/** Deletes one batch in the current transaction, at most `size` rows a statement. */
export type Batch = (size: number) => Promise<Swept>;

/** No statement deletes more rows. */
export const ROWS_MAX = 500;
const ROWS_MIN = 10;
const ROWS_FIRST = 50;
/** A batch that took longer is followed by a smaller one: on the embedded database, everything else waits for it. */
const BATCH_MS = 20;
/** Beside each batch there is at least twice its time for everything else. */
const REST_FACTOR = 2;
const REST_MS_MIN = 20;
const FAILURES_MAX = 3;
const LIMITS = `set local statement_timeout = '2s'; set local lock_timeout = '500ms'`;

/**
 * Deletes batch after batch, each in a short transaction of its own with a rest after it, until there is no more; gives the number of
 * rows. It ends early where `signal` says so, or where another replica deletes just now, which then goes on alone. A batch that fails
 * is tried again smaller.
 * @throws what the third failure in a row was.
 */
export async function sweep(
  db: Database,
  batch: Batch,
  signal: AbortSignal,
  failpoint: Failpoint = noFailpoint,
): Promise<number> {
  let [deleted, size, failures] = [0, ROWS_FIRST, 0];
  while (!signal.aborted) {
    // Without the time in which it waits for its turn: what others take says nothing about its own size.
    let began = performance.now();
    try {
      const swept = await one(db, async () => {
        began = performance.now();
        const gone = await batch(size);
        failpoint('retention.before-commit');
        return gone;
      });
      failpoint('retention.after-commit');
      failures = 0;
      deleted += swept?.deleted ?? 0;
      if (!swept?.more) return deleted;
    } catch (error) {
      failures += 1;
      if (failures === FAILURES_MAX) throw error;
      size = ROWS_MIN;
    }
    const took = performance.now() - began;
    if (took > BATCH_MS) size = Math.max(ROWS_MIN, Math.floor(size / 2));
    else if (took < BATCH_MS / 2) size = Math.min(ROWS_MAX, size * 2);
    await pause(Math.max(REST_MS_MIN, took * REST_FACTOR), undefined, { signal }).catch(() => {});
  }
  return deleted;
}

/** Runs something that deletes in a short transaction, unless another replica does so at this moment; gives null then. */
export function one<T>(db: Database, run: () => Promise<T>): Promise<T | null> {
  return db.transaction(async () => {
    for (const limit of LIMITS.split('; ')) await sql.raw(limit).execute(db.q);
    const { rows } = await sql<{ mine: boolean }>`
      select pg_try_advisory_xact_lock(hashtextextended('nightshift retention', 0)) as mine`.execute(db.q);
    return rows[0]?.mine ? run() : null;
  });
}

/** The time before which what is kept for so many days is too old, by the database's clock. */
export function before(days: number) {
  return sql<Date>`(clock_timestamp() - ${days} * interval '1 day')`;
}
