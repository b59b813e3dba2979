import { sql } from 'kysely';
import { readPage, verifyAudit } from '../audit/index.ts';
import { type Database, listMigrations, migrate, migrateUpTo } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { addEvents } from '../incident/index.ts';
import { AUDIT_HEAD, checkDataFiles, stageDataFiles } from './data-files.ts';
import { type DataFile, type DumpedTable, type Header, invalid, readEntries, type Trailer } from './dump-lines.ts';
import { VERSION } from './version.ts';

const PAGE_BYTES = 1024 * 1024;
const PAGE_ROWS_MAX = 1000;

export interface Restored {
  readonly header: Header;
  readonly rows: Trailer['rows'];
  /** How many events the audit holds, all of which were verified, and what is wrong with it. */
  readonly audit: { readonly events: number; readonly problems: readonly string[] };
  /** Of the dump: its small files wait under this name until somebody places them. */
  readonly sha256: string;
}

export interface RestoreOptions {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Where the small files go, to be placed once all of it has its place; null where there are none to write. */
  readonly dataDir: string | null;
  /** In the timeline: `backup.restored` or `database.moved`. */
  readonly event: 'backup.restored' | 'database.moved';
  /** Takes it all the same where the audit in it does not hold. */
  readonly acceptBrokenAudit: boolean;
}

/**
 * Fills an empty database with a dump, in one transaction: the schema of that time, the rows, the sequences, then the later migrations. Every
 * foreign key is made anew over the rows and so checked, rows are counted, and the audit is verified, before anything is committed.
 * @throws NightshiftError `conflict` where the database or the data directory is not empty; `invalid_backup` where the dump is not whole
 * or of a newer version; `audit_broken`. Nothing is changed then.
 */
export async function restoreDump(
  db: Database,
  { bytes, dataDir, event, acceptBrokenAudit }: RestoreOptions,
): Promise<Restored> {
  return db.transaction(async () => {
    await sql`select pg_advisory_xact_lock(hashtext('nightshift restore'))`.execute(db.q);
    await refuseUnlessEmpty(db);
    // Rows are in these forms, whatever the server's own are.
    await sql`select set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true)`.execute(db.q);
    const files: DataFile[] = [];
    const load = createLoader(db);
    let [header, trailer]: [Header | null, Trailer | null] = [null, null];
    for await (const entry of readEntries(bytes)) {
      if (entry.kind === 'header') {
        header = entry.header;
        await checkMigrations(header);
        await migrateUpTo(db.q, header.migrations.at(-1) ?? '');
        await load.begin();
      } else if (entry.kind === 'file') {
        if (dataDir !== null) checkDataFiles(dataDir, [entry.file]);
        files.push(entry.file);
      }
      if (entry.kind === 'table') await load.table(entry.table);
      else if (entry.kind === 'row') await load.row(entry.text);
      else if (entry.kind === 'trailer') trailer = entry.trailer;
    }
    if (!header || !trailer) throw invalid('it is truncated');
    await load.end(trailer.rows);
    await migrate(db.q);
    await sql`analyze`.execute(db.q);
    const audit = await verify(db, files, acceptBrokenAudit);
    await addEvents(db, null, [
      {
        type: event,
        actor: 'nightshift',
        data: { at: header.at, by: header.version, from: header.database, sha256: trailer.sha256, head: audit.head },
      },
    ]);
    const { rows, sha256 } = trailer;
    if (dataDir !== null) await stageDataFiles(dataDir, files, sha256);
    return { header, rows, audit, sha256 };
  });
}

/** Refuses a dump whose schema this version does not know. @throws NightshiftError `invalid_backup`. */
export async function checkMigrations({ migrations, version }: Header): Promise<void> {
  const known = await listMigrations();
  const other = migrations.find((name, index) => known[index] !== name);
  if (other === undefined) return;
  throw new NightshiftError(
    'invalid_backup',
    `this backup was made by Nightshift ${version} with the migration ${JSON.stringify(other)}, which this one (${VERSION}) does not have. Fix: restore it with that version or a newer one`,
  );
}

async function refuseUnlessEmpty(db: Database): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select c.oid::regclass::text as name from pg_class c
    where (c.relnamespace = current_schema()::regnamespace or c.relnamespace = to_regnamespace('pgboss'))
      and c.relkind in ('r', 'p', 'v', 'm', 'f')
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by c.relname limit 5`.execute(db.q);
  if (rows.length === 0) return;
  const names = rows.map(({ name }) => name).join(', ');
  throw new NightshiftError(
    'conflict',
    `the database is not empty: it holds ${names}${rows.length === 5 ? ' …' : ''}. Fix: give a new one (createdb), which no Nightshift was started on`,
  );
}

interface Column {
  readonly name: string;
  readonly type: string;
}

/** What is not taken over as it was. Jobs are made anew; and transactions of another server have no order among those of this one. */
const REPLACED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  incident: { job_id: 'null::uuid' },
  event: { tx: `'0'::xid8` },
};

function createLoader(db: Database) {
  const run = (statement: string) => sql.raw(statement).execute(db.q);
  let restoreGuards: string[] = [];
  let insert: ((rows: string) => Promise<unknown>) | null = null;
  let [page, size]: [string[], number] = [[], 0];
  const tables: DumpedTable[] = [];

  async function flush(): Promise<void> {
    if (page.length > 0) await insert?.(`[${page.join(',')}]`);
    [page, size] = [[], 0];
  }

  return {
    /**
     * Takes away what stands in the way of rows in any order: foreign keys, which are made again afterwards, and triggers on insert, whose
     * work is in the dump. The guards of the audit fire on changes only and stay. Nobody else sees the tables before the commit.
     */
    async begin(): Promise<void> {
      const { rows } = await sql<{ off: string; on: string }>`
        select format('alter table %s drop constraint %I', conrelid::regclass, conname) as off,
          format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as on
        from pg_constraint where contype = 'f' and conparentid = 0 and connamespace = current_schema()::regnamespace
        union all
        select format('alter table %s disable trigger %I', tgrelid::regclass, tgname),
          format('alter table %s enable trigger %I', tgrelid::regclass, tgname)
        from pg_trigger join pg_class c on c.oid = tgrelid
        where not tgisinternal and tgtype & 4 <> 0 and c.relnamespace = current_schema()::regnamespace`.execute(db.q);
      for (const { off } of rows) await run(off);
      restoreGuards = rows.map(({ on }) => on);
    },

    async table(table: DumpedTable): Promise<void> {
      await flush();
      const name = sql.id(table.table);
      const { rows: columns } = await sql<Column>`
        select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
        where attrelid = to_regclass(quote_ident(${table.table})) and attnum > 0 and not attisdropped and attgenerated = ''`.execute(
        db.q,
      );
      if (columns.length === 0) throw foreign(`the table ${JSON.stringify(table.table)}`);
      const types = new Map(columns.map((column) => [column.name, column.type]));
      const unknown = [...table.columns, ...Object.keys(table.sequences)].filter((column) => !types.has(column));
      if (unknown.length > 0)
        throw foreign(
          `${unknown.map((column) => `the column ${JSON.stringify(`${table.table}.${column}`)}`).join(', ')}`,
        );
      tables.push(table);
      // What a migration has put there is in the dump as well.
      await sql`delete from ${name}`.execute(db.q);
      const values = table.columns.map((column, index) => {
        const replaced = REPLACED[table.table]?.[column];
        return sql.raw(replaced ?? `(r ->> ${index})::${types.get(column)}`);
      });
      insert = (rows) =>
        sql`insert into ${name} (${sql.join(table.columns.map((column) => sql.id(column)))}) overriding system value
          select ${sql.join(values)} from jsonb_array_elements(${rows}::jsonb) as r`.execute(db.q);
    },

    async row(text: string): Promise<void> {
      page.push(text);
      size += text.length;
      if (size >= PAGE_BYTES || page.length >= PAGE_ROWS_MAX) await flush();
    },

    /** Counts what is there, lets the sequences go on where they were, and puts everything back. */
    async end(rows: Trailer['rows']): Promise<void> {
      await flush();
      for (const { table, sequences } of tables) {
        const { rows: counted } = await sql<{ count: number }>`
          select count(*)::int as count from ${sql.id(table)}`.execute(db.q);
        if (counted[0]?.count !== rows[table])
          throw invalid(`${table} has ${counted[0]?.count} rows in the database and ${rows[table]} in the dump`);
        for (const [column, last] of Object.entries(sequences))
          await sql`
            select setval(pg_get_serial_sequence(quote_ident(${table}), ${column}), reached) from (
              select greatest(max(${sql.id(column)}), ${last}::bigint) as reached from ${sql.id(table)}) as found
            where reached is not null`.execute(db.q);
      }
      for (const statement of restoreGuards) await run(statement);
    },
  };
}

function foreign(what: string): NightshiftError {
  const fix = 'restore it with the version that made it';
  return new NightshiftError(
    'invalid_backup',
    `this backup cannot be used: it holds ${what}, which its migrations do not make. Fix: ${fix}`,
  );
}

async function verify(db: Database, files: readonly DataFile[], acceptBroken: boolean) {
  const head = files.find(({ file }) => file === AUDIT_HEAD);
  const heads = head
    ? (Buffer.from(head.base64, 'base64')
        .toString('utf8')
        .match(/^[0-9a-f]{64}$/gm) ?? [])
    : [];
  const report = await verifyAudit((seal) => readPage(db, seal), heads);
  const problems = report.problems.map(({ message, kind }) => `${kind}: ${message}`);
  if (problems.length > 0 && !acceptBroken)
    throw new NightshiftError(
      'audit_broken',
      `the audit in this backup was changed before it was taken: ${problems.slice(0, 3).join('; ')}. Nothing was restored. Fix: take an older backup, or restore it all the same with --accept-broken-audit`,
    );
  return { events: report.events + report.unsealed, problems, head: report.head };
}
