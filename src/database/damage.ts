import { type Kysely, sql } from 'kysely';
import type { Schema } from './schema.ts';

/** Codes of Postgres for what is no longer as it was written: missing files, unreadable or false pages, broken indexes. */
const DAMAGE = /^(XX00[012]|58P01|58030|F0000)$/;

/** An index has one page before its table has a row. */
const EMPTY_INDEX_BYTES = 8192;

/** Whether an error of the embedded Postgres says that its files are damaged, be it in its own words or because it fell over. */
export function isDamage(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: string };
  const fellOver = error instanceof Error && /^(RuntimeError|ExitStatus)$/.test(error.name);
  return fellOver || (code !== undefined && DAMAGE.test(code));
}

/**
 * Reads the newest row of every table through its primary key, which costs milliseconds however many rows there are: a file that lost its
 * end, as a power loss leaves it, fails here and not weeks later. What lies in the middle is checked by Postgres's checksums as it is read.
 * @throws whatever Postgres throws; see `isDamage`.
 */
export async function readEveryTable(db: Kysely<Schema>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`set local enable_seqscan = off`.execute(trx);
    await sql`set local enable_sort = off`.execute(trx);
    const { rows } = await sql<{ name: string; key: string }>`
      select i.indrelid::regclass::text as name,
        (select string_agg(format('%I desc', attname), ', ' order by array_position(i.indkey::int2[], attnum))
          from pg_attribute where attrelid = i.indrelid and attnum = any(i.indkey)) as key
      from pg_index i join pg_class c on c.oid = i.indrelid
      where i.indisprimary and c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
        and (pg_relation_size(c.oid) > 0 or pg_relation_size(i.indexrelid) <> ${EMPTY_INDEX_BYTES})`.execute(trx);
    for (const { name, key } of rows) await sql.raw(`select * from ${name} order by ${key} limit 1`).execute(trx);
  });
}
