/** What goes by its own age, and hangs on nothing. */
import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { type Batch, before } from './sweep.ts';

/** Makes the batches that delete rows of a table by a time that has an index. */
export function byTime(db: Database, table: string, time: string, days: number): Batch {
  return async (size) => {
    const { rows } = await sql`
      delete from ${sql.table(table)} where ctid = any (array(
        select ctid from ${sql.table(table)} where ${sql.ref(time)} < ${before(days)}
        order by ${sql.ref(time)} limit ${size} for update skip locked)) returning 1`.execute(db.q);
    return { deleted: rows.length, more: rows.length === size };
  };
}

/**
 * Makes the batches that delete rows of a table whose ids grow with their time, from the lowest on; `such` says which of them may
 * go. An index on the time is not needed: the walk ends at the first part in which nothing is old.
 */
export function byId(
  db: Database,
  table: 'delivery' | 'model_call' | 'outbox' | 'alert',
  { time, days, such = sql`true`, among = sql`true` }: IdRule,
): Batch {
  let after = 0;
  return async (size) => {
    const { rows } = await sql<{ id: number; old: boolean }>`
      select id, ${sql.ref(time)} < ${before(days)} as old from ${sql.table(table)}
      where id > ${after} and ${among} order by id limit ${size}`.execute(db.q);
    const old = rows.filter((row) => row.old).map(({ id }) => id);
    if (old.length === 0) return { deleted: 0, more: false };
    const { rows: free } = await sql<{ id: number }>`
      select id from ${sql.table(table)} where id = any(${`{${old.join(',')}}`}::bigint[]) and ${such}
      order by id for update skip locked`.execute(db.q);
    const ids = `{${free.map(({ id }) => id).join(',')}}`;
    if (table === 'outbox')
      await sql`delete from outbox_delivery where outbox_id = any(${ids}::bigint[])`.execute(db.q);
    await sql`delete from ${sql.table(table)} where id = any(${ids}::bigint[])`.execute(db.q);
    after = old.at(-1) as number;
    return { deleted: free.length, more: rows.length === size };
  };
}

interface IdRule {
  readonly time: string;
  readonly days: number;
  /** Which of the old ones may go. */
  readonly such?: ReturnType<typeof sql>;
  /** Which rows are looked at at all, where an index gives those alone. */
  readonly among?: ReturnType<typeof sql>;
}

/** Makes the batch that deletes the counters of days and roles, whose incidents' counters go with the incidents. */
export function spendingOfDays(db: Database, days: number): Batch {
  return async (size) => {
    const { rows } = await sql`
      delete from model_spending where ctid = any (array(
        select ctid from model_spending
        where (scope = 'day' or (scope >= 'role:' and scope < 'role;')) and day < (${before(days)} at time zone 'UTC')::date
        limit ${size} for update skip locked)) returning 1`.execute(db.q);
    return { deleted: rows.length, more: rows.length === size };
  };
}

/** Makes the batch that deletes words that no runbook has any more; the empty one counts the runbooks. */
export function wordsOfNothing(db: Database): Batch {
  return async (size) => {
    const { rows } = await sql`
      delete from term where ctid = any (array(
        select ctid from term where runbooks <= 0 and term <> '' order by term limit ${size} for update skip locked))
      returning 1`.execute(db.q);
    return { deleted: rows.length, more: rows.length === size };
  };
}
