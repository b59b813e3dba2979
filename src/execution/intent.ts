import { sql } from 'kysely';
import { type Database, json } from '../database/index.ts';
import type { CallResult, Inspection } from '../mcp-tools/index.ts';
import type { Action } from '../planning/index.ts';

/** What a toolset may take beyond its tool's own limit. */
const GRACE_SECONDS = 5;

/** What is about to be sent, and what the last look at its target found. */
interface Sending {
  readonly action: Pick<Action, 'id' | 'target'>;
  readonly inspection: Inspection;
  readonly timeoutSeconds: number;
}

/**
 * Commits to sending an action, which is running then, in the current transaction, unless another one on the same target is under way (one whose outcome is
 * unknown may be, until its tool's time is up) or `stillCleared`
 * says no. One transaction at a time commits an intent, so that what `stillCleared` counts cannot change before the commit; the
 * primary key lets an action be sent once only.
 * @throws the driver's unique violation when the action was begun before.
 */
export async function addIntent(
  db: Database,
  { action, inspection, timeoutSeconds }: Sending,
  stillCleared: () => Promise<boolean>,
): Promise<'added' | 'busy' | 'refused'> {
  await sql`select pg_advisory_xact_lock(hashtextextended('nightshift intent', 0))`.execute(db.q);
  const underWay = await db.q
    .selectFrom('intent')
    .select('action_id')
    .where('target', '=', action.target)
    .where('busy_until', '>', sql<Date>`clock_timestamp()`)
    .where((where) => where.or([where('outcome', 'is', null), where('outcome', '=', 'unknown')]))
    .executeTakeFirst();
  if (underWay) return 'busy';
  if (!(await stillCleared())) return 'refused';
  await db.q
    .with('running', (q) =>
      q
        .updateTable('action')
        .set({ status: 'running', inspection: json(inspection) })
        .where('id', '=', action.id),
    )
    .insertInto('intent')
    .values({
      action_id: action.id,
      target: action.target,
      busy_until: sql<Date>`clock_timestamp() + ${timeoutSeconds + GRACE_SECONDS} * interval '1 second'`,
    })
    .execute();
  return 'added';
}

interface Finished {
  readonly outcome: CallResult['outcome'];
  readonly said: unknown;
  /** `cancelled` where it was not sent after all. */
  readonly status?: CallResult['outcome'] | 'cancelled';
}

/** Records what came of an action whose intent was committed, and how it stands then. */
export async function finishIntent(
  db: Database,
  actionId: string,
  { outcome, said, status = outcome }: Finished,
): Promise<void> {
  const result = json(said);
  await db.q
    .with('finished', (q) =>
      q
        .updateTable('intent')
        .set({ outcome, result, finished_at: sql`clock_timestamp()` })
        .where('action_id', '=', actionId),
    )
    .updateTable('action')
    .set({ status, ...(status === 'cancelled' ? {} : { result }) })
    .where('id', '=', actionId)
    .execute();
}
