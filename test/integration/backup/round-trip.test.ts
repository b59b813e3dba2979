import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHeads, readPage, verifyAudit } from '../../../src/audit/index.ts';
import {
  checkDumpFile,
  createDumper,
  placeDataFiles,
  readDataFiles,
  readDumpFile,
  restoreDump,
  writeDump,
  writeDumpFile,
} from '../../../src/backup/index.ts';
import {
  type Database,
  fillEmbedded,
  fillPostgres,
  openEmbedded,
  openPostgres,
  readPostgres,
} from '../../../src/database/index.ts';
import { copyEmbedded, databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { contentOf, fill } from './filled.ts';

interface Place {
  readonly dataDir: string;
  readonly url: string | null;
  open(): Promise<Database>;
}

const taken: (() => void | Promise<void>)[] = [];

/** An empty place for a database of one kind. */
async function place(kind: 'embedded' | 'postgres'): Promise<Place> {
  const directory = scratchDirectory();
  const served = kind === 'postgres' ? await throwawayDatabaseUrl() : null;
  taken.push(async () => {
    await served?.drop();
    directory.remove();
  });
  const dataDir = join(directory.path, 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  return {
    dataDir,
    url: served?.url ?? null,
    open: () => (served ? openPostgres(served.url) : openEmbedded(dataDir)),
  };
}

const restore = async ({ dataDir, url }: Place, file: string) => {
  await checkDumpFile(file);
  let sha256 = '';
  const go = async (db: Database) => {
    const options = { dataDir, event: 'backup.restored', acceptBrokenAudit: false } as const;
    ({ sha256 } = await restoreDump(db, { bytes: readDumpFile(file), ...options }));
  };
  await (url ? fillPostgres(url, go) : fillEmbedded(dataDir, go));
  await placeDataFiles(dataDir, sha256);
};

/** Each test makes embedded databases, which takes seconds each, and many on a machine that is busy. */
const SLOW_MS = 180_000;

describe.each(databases.map(({ name }) => name))('what was backed up from %s', { timeout: SLOW_MS }, (from) => {
  const scratch = scratchDirectory();
  const file = join(scratch.path, 'all.dump.gz');
  let content: Record<string, string[]>;
  let source: Place;

  beforeAll(async () => {
    source = await place(from);
    if (from === 'embedded') await copyEmbedded(source.dataDir);
    writeFileSync(join(source.dataDir, 'admin.token'), 'secret\n', { mode: 0o600 });
    writeFileSync(join(source.dataDir, 'clearance.key'), 'key\n', { mode: 0o400 });
    writeFileSync(join(source.dataDir, 'kill-switch'), '', { mode: 0o644 });
    const db = await source.open();
    await fill(db, join(source.dataDir, 'audit.head'));
    content = await contentOf(db);
    const reader = source.url ? await readPostgres(source.url) : db;
    if (!source.url) await sql`set role none`.execute(db.q);
    await writeDumpFile(file, { force: false }, (out) =>
      writeDump(reader, { files: readDataFiles(source.dataDir), out }),
    );
    if (source.url) await reader.close();
    await db.close();
  });
  afterAll(async () => {
    scratch.remove();
    for (const end of taken.splice(0)) await end();
  });

  it('has a row of every table, or else this test says nothing about that table: give it one in filled.ts', () => {
    expect(Object.entries(content).flatMap(([name, rows]) => (rows.length === 0 ? [name] : []))).toEqual([]);
  });

  it('is a file for its owner alone, and holds the small files, but not the address of a server', async () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await checkDumpFile(file)).files).toEqual(['admin.token', 'clearance.key', 'kill-switch', 'audit.head']);
  });

  it.each(databases.map(({ name }) => name))('is the same on %s', async (to) => {
    const target = await place(to);
    await restore(target, file);
    const mode = (name: string) => statSync(join(target.dataDir, name)).mode & 0o777;
    expect([mode('admin.token'), mode('clearance.key'), mode('kill-switch')]).toEqual([0o600, 0o400, 0o644]);
    expect(readFileSync(join(target.dataDir, 'clearance.key'), 'utf8')).toBe('key\n');
    const db = await target.open();
    try {
      expect(await contentOf(db)).toEqual(content);
      const heads = readHeads(join(target.dataDir, 'audit.head'));
      expect(heads).toHaveLength(1);
      expect(await verifyAudit((seal) => readPage(db, seal), heads)).toMatchObject({
        problems: [],
        seals: 1,
        unsealed: 1,
      });
      // Numbers that were given out are not given out again, and no guard was left off.
      const { rows } = await sql<{ id: number }>`
        insert into incident (state, correlation_key, title, severity, labels, trace_id, context)
        values ('received', 'n', 'n', 'n', '{}', 'n', '{}') returning id`.execute(db.q);
      expect(rows).toEqual([{ id: 42 }]);
      await expect(
        sql`insert into alert (incident_id, cycle, source, fingerprint, status, labels, annotations, starts_at)
        values (999, 1, 's', 'f', 'firing', '{}', '{}', now())`.execute(db.q),
      ).rejects.toThrow(/foreign key/);
      await sql`insert into posting (term, runbook_id, weight) select 'new', id, 1 from runbook`.execute(db.q);
      expect((await sql`select runbooks from term where term = 'new'`.execute(db.q)).rows).toEqual([{ runbooks: 1 }]);
      // Whoever follows the events goes by transactions, and those of another server would come after all that happens here.
      const old = sql`select 1 from event where tx <> '0'::xid8 and type <> 'backup.restored'`;
      expect((await old.execute(db.q)).rows).toEqual([]);
      await expect(sql`update event set actor = 'x'`.execute(db.q)).rejects.toThrow(/permission denied/);
      expect((await sql`select count(*)::int as n from incident where job_id is not null`.execute(db.q)).rows).toEqual([
        { n: 0 },
      ]);
    } finally {
      await db.close();
    }
  });
});

it.each(databases.filter(({ name }) => name === 'postgres'))(
  'a dump of a running Nightshift on $name finds it by what the environment says of connections, and hears nothing else of it',
  { timeout: SLOW_MS },
  async () => {
    const served = await throwawayDatabaseUrl();
    const scratch = scratchDirectory();
    const db = await openPostgres(served.url);
    const { hostname, port, username, password, pathname } = new URL(served.url);
    // As libpq reads them, where the URL leaves them out.
    const declared = { PGHOST: hostname, PGPORT: port, PGUSER: username, PGPASSWORD: password };
    const before = { ...process.env };
    const dumper = createDumper({ db, dataDir: scratch.path, databaseUrl: `postgres://${pathname}` });
    try {
      Object.assign(process.env, declared, { NODE_OPTIONS: '--require=/nowhere.js' });
      await dumper.dump(join(scratch.path, 'dump.gz'), { withFiles: false });
    } finally {
      for (const name of [...Object.keys(declared), 'NODE_OPTIONS']) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
      await dumper.stop();
      await db.close();
      await served.drop();
    }
    expect((await checkDumpFile(join(scratch.path, 'dump.gz'))).rows).toHaveProperty('incident', 0);
    scratch.remove();
  },
);
