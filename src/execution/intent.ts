import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/index.ts';

/** What a toolset may take beyond its tool's own limit. */
const GRACE_SECONDS = 5;

/** Tells whether an action was ever about to be sent. */
export async function intentOf(db: Database, actionId: string): Promise<boolean> {
  const row = await db.q.selectFrom('intent').select('action_id').where('action_id', '=', actionId).executeTakeFirst();
  return row !== undefined;
}

/**
 * Commits to sending an action, in the current transaction, unless another one on the same target is under way (one whose outcome is
 * unknown may be, until its tool's time is up) or `stillCleared`
 * says no. One transaction at a time commits an intent, so that what `stillCleared` counts cannot change before the commit; the
 * primary key lets an action be sent once only.
 * @throws the driver's unique violation when the action was begun before.
 */
export async function addIntent(
  db: Database,
  { actionId, target, timeoutSeconds }: { actionId: string; target: string; timeoutSeconds: number },
  stillCleared: () => Promise<boolean>,
): Promise<'added' | 'busy' | 'refused'> {
  await sql`select pg_advisory_xact_lock(hashtextextended('nightshift intent', 0))`.execute(db.q);
  const underWay = await db.q
    .selectFrom('intent')
    .select('action_id')
    .where('target', '=', target)
    .where('busy_until', '>', sql<Date>`clock_timestamp()`)
    .where((where) => where.or([where('outcome', 'is', null), where('outcome', '=', 'unknown')]))
    .executeTakeFirst();
  if (underWay) return 'busy';
  if (!(await stillCleared())) return 'refused';
  await db.q
    .insertInto('intent')
    .values({
      action_id: actionId,
      target,
      busy_until: sql<Date>`clock_timestamp() + ${timeoutSeconds + GRACE_SECONDS} * interval '1 second'`,
    })
    .execute();
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
    .set({ outcome, result, finished_at: sql`clock_timestamp()` })
    .where('action_id', '=', actionId)
    .execute();
}
