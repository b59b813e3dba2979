import { type RawBuilder, sql } from 'kysely';
import { countRuns } from '../approval/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';

/** Tells whether an action was ever about to be sent. */
export async function intentOf(db: Database, actionId: string): Promise<boolean> {
  const row = await db.q.selectFrom('intent').select('action_id').where('action_id', '=', actionId).executeTakeFirst();
  return row !== undefined;
}

interface NewIntent {
  readonly actionId: string;
  readonly target: string;
  /** How many runs on the target may go unasked; null when people have approved this one. */
  readonly limits: Config['limits'] | null;
}

/**
 * Commits to sending an action, in the current transaction, unless another one on the same target is under way or the target's
 * limit is reached. One transaction at a time decides about a target; the primary key lets an action be sent once only.
 * @throws the driver's unique violation when the action was begun before.
 */
export async function addIntent(
  db: Database,
  { actionId, target, limits }: NewIntent,
): Promise<'added' | 'busy' | 'limit'> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`target ${target}`}, 0))`.execute(db.q);
  const underWay = await db.q
    .selectFrom('intent')
    .select('action_id')
    .where('target', '=', target)
    .where('outcome', 'is', null)
    .executeTakeFirst();
  if (underWay) return 'busy';
  const runs = await countRuns(db, target);
  if (limits && (runs.tenMinutes >= limits.perTargetTenMinutes || runs.day >= limits.perTargetDay)) return 'limit';
  await db.q.insertInto('intent').values({ action_id: actionId, target }).execute();
  return 'added';
}

/** Records what came of an action that was sent. */
export async function finishIntent(
  db: Database,
  actionId: string,
  outcome: 'succeeded' | 'failed' | 'unknown',
  result: RawBuilder<unknown>,
): Promise<void> {
  await db.q
    .updateTable('intent')
    .set({ outcome, result, finished_at: new Date() })
    .where('action_id', '=', actionId)
    .execute();
}
