import type { RawBuilder } from 'kysely';
import type { Database } from '../database/index.ts';

/** Tells whether an action was ever about to be sent. */
export async function intentOf(db: Database, actionId: string): Promise<boolean> {
  const row = await db.q.selectFrom('intent').select('action_id').where('action_id', '=', actionId).executeTakeFirst();
  return row !== undefined;
}

/** Commits to sending an action; the primary key lets it happen once only. @throws the driver's unique violation otherwise. */
export async function addIntent(
  db: Database,
  { actionId, target }: { actionId: string; target: string },
): Promise<void> {
  await db.q.insertInto('intent').values({ action_id: actionId, target }).execute();
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
