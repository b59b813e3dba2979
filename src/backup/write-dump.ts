import type { Writable } from 'node:stream';
import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { tablesOfMigrations } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { createDumpWriter, type DataFile, type Header, type Trailer } from './dump-lines.ts';
import { VERSION } from './version.ts';

const PAGE_BYTES = 1024 * 1024;
const PAGE_ROWS_MAX = 1000;

interface Table {
  readonly name: string;
  readonly columns: string[];
  readonly numbered: string[];
}

/**
 * Writes everything that Nightshift keeps in a database to a stream, as it stood at one moment, a page of about a MiB at a time, and
 * ends the stream. Only reads; where the session has taken on the application's role it cannot look at sequences, so use `readPostgres`.
 * @throws NightshiftError `not_found` where the database holds no Nightshift.
 */
export async function writeDump(
  db: Database,
  { files, out }: { readonly files: readonly DataFile[]; readonly out: Writable },
): Promise<{ header: Header; rows: Trailer['rows'] }> {
  return db.transaction(async () => {
    await sql`set transaction isolation level repeatable read, read only`.execute(db.q);
    await sql
      .raw(
        // What decides how Postgres writes a value as text; and the limits of the application are not for this.
        `select ${Object.entries(SETTINGS)
          .map(([name, value]) => `set_config('${name}', '${value}', true)`)
          .join(', ')}`,
      )
      .execute(db.q);
    const header = await headerOf(db);
    const writer = createDumpWriter(out);
    await writer.line(JSON.stringify(header));
    for (const file of files) await writer.line(JSON.stringify(file));
    const rows: Trailer['rows'] = {};
    for (const table of await tablesOf(db)) {
      const sequences: Record<string, string | null> = {};
      for (const column of table.numbered) sequences[column] = await lastNumber(db, table.name, column);
      await writer.line(JSON.stringify({ table: table.name, columns: table.columns, sequences }));
      rows[table.name] = 0;
      for await (const page of pagesOf(db, table)) {
        for (const row of page) await writer.line(row);
        rows[table.name] = (rows[table.name] ?? 0) + page.length;
      }
    }
    await writer.end(rows);
    return { header, rows };
  });
}

const SETTINGS = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
};

async function headerOf(db: Database): Promise<Header> {
  const found = await sql<{ there: boolean }>`
    select to_regclass('kysely_migration') is not null and to_regclass('installation') is not null as there`.execute(
    db.q,
  );
  if (!found.rows[0]?.there) {
    const fix = 'check which database it is, or start this version of Nightshift on it once';
    throw new NightshiftError('not_found', `there is no Nightshift in this database. Fix: ${fix}`);
  }
  const { rows } = await sql<{ migrations: string[]; at: Date; installation: string }>`
    select (select array_agg(name order by name) from kysely_migration) as migrations, now() as at,
      (select id::text from installation) as installation`.execute(db.q);
  const [row] = rows;
  if (!row) throw new Error('no row from a query that always gives one');
  const { migrations, at, installation } = row;
  return {
    nightshift: 'dump',
    format: 1,
    version: VERSION,
    migrations,
    at: at.toISOString(),
    installation,
    database: db.kind,
  };
}

/** Tables that a migration of ours has made, and what of them is to be stored: what Postgres computes is left out. */
async function tablesOf(db: Database): Promise<Table[]> {
  const { rows } = await sql<Table>`
    select c.relname as name,
      array_agg(a.attname::text order by a.attnum) as columns,
      coalesce(array_agg(a.attname::text order by a.attnum)
        filter (where pg_get_serial_sequence(quote_ident(c.relname), a.attname) is not null), '{}') as numbered
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where c.relnamespace = (select relnamespace from pg_class where oid = 'event'::regclass)
      and c.relkind in ('r', 'p') and not c.relispartition and c.relname = any(${await tablesOfMigrations()}::text[])
    group by c.relname order by c.relname`.execute(db.q);
  return rows;
}

async function lastNumber(db: Database, table: string, column: string): Promise<string | null> {
  const { rows } = await sql<{ name: string | null }>`
    select s::text as name from pg_get_serial_sequence(quote_ident(${table}), ${column}) as s
    where has_sequence_privilege(s, 'SELECT')`.execute(db.q);
  const name = rows[0]?.name;
  if (!name) return null;
  const { rows: last } = await sql<{ last: string }>`
    select last_value::text as last from ${sql.raw(name)} where is_called`.execute(db.q);
  return last[0]?.last ?? null;
}

async function* pagesOf(db: Database, { name, columns }: Table): AsyncGenerator<string[]> {
  const texts = sql.join(columns.map((column) => sql`${sql.id(column)}::text`));
  // Every table is read once from its beginning to its end; a cursor sees it as the transaction does.
  await sql`declare dump no scroll cursor for select to_json(array[${texts}])::text as row from ${sql.id(name)}`.execute(
    db.q,
  );
  let size = 100;
  for (;;) {
    const { rows } = await sql<{ row: string }>`fetch ${sql.raw(String(size))} from dump`.execute(db.q);
    if (rows.length === 0) break;
    const page = rows.map(({ row }) => row);
    yield page;
    const bytes = page.reduce((sum, row) => sum + row.length, 0) / page.length;
    size = Math.max(1, Math.min(PAGE_ROWS_MAX, Math.floor(PAGE_BYTES / bytes)));
  }
  await sql`close dump`.execute(db.q);
}
