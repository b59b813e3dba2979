import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDumpWriter } from '../../../src/backup/dump-lines.ts';
import {
  checkDumpFile,
  finishRestore,
  readDumpFile,
  restoreDump,
  writeDump,
  writeDumpFile,
} from '../../../src/backup/index.ts';
import {
  type Database,
  fillEmbedded,
  fillPostgres,
  listMigrations,
  migrateUpTo,
  openEmbedded,
  openPostgres,
} from '../../../src/database/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { copyEmbedded, databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { asOwner, contentOf, fill } from './filled.ts';

const KILLED = `
import { restoreDump, readDumpFile } from './src/backup/index.ts';
import { fillEmbedded, fillPostgres } from './src/database/index.ts';
const [file, dataDir, url] = process.argv.slice(1);
async function* almostAll() {
  const chunks = [];
  for await (const chunk of readDumpFile(file)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  yield bytes.subarray(0, bytes.length - 20);
  console.log('loaded');
  await new Promise((resolve) => setTimeout(resolve, 200));
  process.kill(process.pid, 'SIGKILL');
  await new Promise(() => {});
}
const go = (db) => restoreDump(db, { bytes: almostAll(), dataDir, event: 'backup.restored', acceptBrokenAudit: false });
await (url ? fillPostgres(url, go) : fillEmbedded(dataDir, go));
`;

const tables = async (db: Database) =>
  (
    await sql<{ n: number }>`select count(*)::int as n from pg_class
    where relkind = 'r' and relnamespace = current_schema()::regnamespace`.execute(db.q)
  ).rows[0]?.n;

/** Each test makes embedded databases, which takes seconds each, and many on a machine that is busy. */
const SLOW_MS = 180_000;

describe.each(databases.map(({ name }) => name))('a restore into %s', { timeout: SLOW_MS }, (kind) => {
  const scratch = scratchDirectory();
  const file = join(scratch.path, 'all.dump.gz');
  const ended: (() => Promise<void>)[] = [];
  let lines: string[];
  let count = 0;

  const target = async () => {
    count += 1;
    const served = kind === 'postgres' ? await throwawayDatabaseUrl() : null;
    if (served) ended.push(served.drop);
    return { dataDir: join(scratch.path, `target-${count}`), url: served?.url ?? null };
  };
  const restore = ({ dataDir, url }: Awaited<ReturnType<typeof target>>, from: string, acceptBrokenAudit = false) => {
    const go = async (db: Database) => {
      await restoreDump(db, { bytes: readDumpFile(from), dataDir, event: 'backup.restored', acceptBrokenAudit });
    };
    return url ? fillPostgres(url, go) : fillEmbedded(dataDir, go);
  };
  const isEmpty = async ({ dataDir, url }: Awaited<ReturnType<typeof target>>) => {
    if (url) await fillPostgres(url, async (db) => expect(await tables(db)).toBe(0));
    expect(existsSync(dataDir) ? readdirSync(dataDir).filter((name) => !name.startsWith('lock')) : []).toEqual([]);
  };
  /** A dump of these lines that is whole. */
  const dumpOf = async (name: string, changed: readonly string[]) => {
    const path = join(scratch.path, name);
    const rows: Record<string, number> = {};
    let table = '';
    for (const line of changed) {
      if (line.startsWith('{"table"')) {
        ({ table } = JSON.parse(line) as { table: string });
        rows[table] = 0;
      }
      if (line.startsWith('[')) rows[table] = (rows[table] ?? 0) + 1;
    }
    await writeDumpFile(path, { force: true }, async (out) => {
      const writer = createDumpWriter(out);
      for (const line of changed.slice(0, -1)) await writer.line(line);
      await writer.end(rows);
    });
    return path;
  };

  beforeAll(async () => {
    const source = join(scratch.path, 'source');
    await copyEmbedded(source);
    const db = await openEmbedded(source);
    await fill(db, join(source, 'audit.head'));
    await sql`set role none`.execute(db.q);
    await writeDumpFile(file, { force: false }, (out) =>
      writeDump(db, { files: [{ file: 'admin.token', mode: 0o600, base64: 'YQ==' }], out }),
    );
    await db.close();
    lines = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n');
  });
  afterAll(async () => {
    for (const end of ended) await end();
    scratch.remove();
  });

  it('changes nothing where the file is cut off, or altered though its gzip is in order', async () => {
    const bytes = readFileSync(file);
    const [cut, altered] = [join(scratch.path, 'cut'), join(scratch.path, 'altered')];
    writeFileSync(cut, bytes.subarray(0, bytes.length - 9));
    writeFileSync(altered, gzipSync(gunzipSync(bytes).toString().replace('Spool ✓ stuck', 'Spool ✓ Stuck')));
    const empty = await target();
    for (const path of [cut, altered]) {
      await expect(checkDumpFile(path)).rejects.toMatchObject({ code: 'invalid_backup' });
      // Whoever does not look before gets no further either.
      await expect(restore(empty, path)).rejects.toMatchObject({ code: 'invalid_backup' });
      await isEmpty(empty);
    }
  });

  it('takes no database and no data directory that has something in it', async () => {
    const used = await target();
    await restore(used, file);
    await expect(restore(used, file)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(
        kind === 'postgres' ? /not empty: it holds action, alert/ : /there is a database in/,
      ),
    });
    const others = await target();
    mkdirSync(others.dataDir);
    writeFileSync(join(others.dataDir, 'admin.token'), 'mine');
    await expect(restore(others, file)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`${join(others.dataDir, 'admin.token')} would be overwritten`),
    });
    expect(readFileSync(join(others.dataDir, 'admin.token'), 'utf8')).toBe('mine');
  });

  it('names what a newer version has made, and what no migration has', async () => {
    const header = JSON.parse(lines[0] ?? '');
    const newer = { ...header, version: '7.0.0', migrations: [...header.migrations, '0999_moon'] };
    const empty = await target();
    const refused = async (name: string, changed: readonly string[], message: RegExp) => {
      const path = await dumpOf(name, changed);
      await expect(restore(empty, path)).rejects.toMatchObject({
        code: 'invalid_backup',
        message: expect.stringMatching(message),
      });
      await isEmpty(empty);
    };
    const later = await dumpOf('newer', [JSON.stringify(newer), ...lines.slice(1)]);
    const message = /7\.0\.0 with the migration "0999_moon".*restore it with that version or a newer one/;
    await expect(checkDumpFile(later)).rejects.toMatchObject({
      code: 'invalid_backup',
      message: expect.stringMatching(message),
    });
    await refused(
      'column',
      lines.map((line) =>
        line.replace('{"table":"signal","columns":["id","incident_id"', '{"table":"signal","columns":["id","moon"'),
      ),
      /"signal\.moon"/,
    );
    // Making an embedded database takes seconds, and nothing of this depends on its kind.
    if (kind === 'embedded') return;
    await refused('newer', [JSON.stringify(newer), ...lines.slice(1)], message);
    await refused(
      'table',
      lines.map((line) => line.replace('{"table":"signal"', '{"table":"sky"')),
      /the table "sky"/,
    );
    await refused(
      'file',
      lines.map((line) => line.replace('"file":"admin.token"', '"file":"../../etc/passwd"')),
      /files that this Nightshift does not know/,
    );
  });

  it('takes no audit that was changed, but where it is told to', async () => {
    const changed = await dumpOf(
      'tampered',
      lines.map((line) => line.replace('"a.b","ada"', '"a.b","eve"')),
    );
    const empty = await target();
    await expect(restore(empty, changed)).rejects.toMatchObject({
      code: 'audit_broken',
      message: expect.stringContaining('row changed'),
    });
    await isEmpty(empty);
    await restore(empty, changed, true);
  });

  it('leaves nothing when it is killed in the middle, and can then be done again', async () => {
    const empty = await target();
    const child = spawn(
      process.execPath,
      ['--input-type=module-typescript', '-e', KILLED, file, empty.dataDir, ...(empty.url ? [empty.url] : [])],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(child.stdout, 'data');
    await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    expect(existsSync(join(empty.dataDir, 'postgres'))).toBe(false);
    expect(existsSync(join(empty.dataDir, 'admin.token'))).toBe(false);
    if (empty.url) await fillPostgres(empty.url, async (db) => expect(await tables(db)).toBe(0));
    await restore(empty, file);
    const db = await (empty.url ? openPostgres(empty.url) : openEmbedded(empty.dataDir));
    expect((await contentOf(db)).incident).toHaveLength(2);
    await db.close();
  });

  it('puts no file where it belongs before the rows are there, and a start does that where the restore was cut off', async () => {
    const { dataDir, url } = await target();
    await restore({ dataDir, url }, file);
    const [waits, ...others] = readdirSync(dataDir).filter((name) => name.startsWith('admin.token'));
    expect([waits, others]).toEqual([expect.stringMatching(/^admin\.token\.restored-[0-9a-f]{64}$/), []]);
    expect(statSync(join(dataDir, waits as string)).mode & 0o777).toBe(0o600);
    // Of one that came to nothing.
    const stray = join(dataDir, `webhook.token.restored-${'0'.repeat(64)}`);
    writeFileSync(stray, 'x');
    const lines: string[] = [];
    const log = createLogger('info', { write: (line) => void lines.push(line) });
    const db = await (url ? openPostgres(url) : openEmbedded(dataDir));
    try {
      writeFileSync(join(dataDir, 'admin.token'), 'mine');
      await expect(finishRestore(db, { dataDir, log })).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining(`${join(dataDir, 'admin.token')} would be overwritten`),
      });
      rmSync(join(dataDir, 'admin.token'));
      for (const _again of [1, 2]) await finishRestore(db, { dataDir, log });
    } finally {
      await db.close();
    }
    expect(readFileSync(join(dataDir, 'admin.token'), 'utf8')).toBe('a');
    expect(readdirSync(dataDir)).not.toContain(waits);
    expect(existsSync(stray)).toBe(true);
    expect(lines.filter((line) => line.includes('cut off'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('came to nothing'))).not.toHaveLength(0);
  });

  it('brings what an older version has dumped up to date', async () => {
    const at = '0014_undo';
    const path = join(scratch.path, 'older');
    await fillEmbedded(join(scratch.path, `older-${kind}`), async (db) => {
      await migrateUpTo(db.q, at);
      await asOwner(db, [
        `insert into incident (state, correlation_key, title, severity, labels, trace_id, context) values ('received', 'a', 'old', 'critical', '{}', 't', '{}')`,
        `insert into past_incident (incident_id, cycle, title, summary, labels, remedies, search) values (1, 1, 't', 's', '{}', '[]', '')`,
      ]);
      const { header } = (await writeDumpFile(path, { force: true }, (out) => writeDump(db, { files: [], out })))
        .filled;
      expect(header.migrations.at(-1)).toBe(at);
    });
    const empty = await target();
    await restore(empty, path);
    const db = await (empty.url ? openPostgres(empty.url) : openEmbedded(empty.dataDir));
    expect(await db.q.selectFrom('incident').select('title').execute()).toEqual([{ title: 'old' }]);
    expect(await db.q.selectFrom('installation').select(sql`octet_length(placeholder_key)`.as('n')).execute()).toEqual([
      { n: 32 },
    ]);
    const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db.q);
    expect(rows.map(({ name }) => name)).toEqual(await listMigrations());
    await db.close();
  });
});
