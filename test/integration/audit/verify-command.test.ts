import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSealer } from '../../../src/audit/index.ts';
import { runCli } from '../../../src/cli/index.ts';
import { type Database, openEmbedded, openPostgres } from '../../../src/database/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { copyEmbedded, databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';

async function verify(directory: string, argv: readonly string[] = [], env: Record<string, string> = {}) {
  const said = { out: [] as string[], err: [] as string[] };
  const code = await runCli({
    argv: ['audit', 'verify', ...argv],
    env: { NIGHTSHIFT_DATA_DIR: directory, ...env },
    directory,
    out: (text) => void said.out.push(text),
    err: (text) => void said.err.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  return { code, out: said.out.join('\n'), err: said.err.join('\n') };
}

/** Seals what a Nightshift has left. */
async function seal(db: Database, dataDir: string): Promise<void> {
  await createSealer({ db, log: createLogger('silent'), headFile: join(dataDir, 'audit.head') }).sealNow();
}

/** Changes the audit as whoever owns the database can. */
const tamper = (db: Database, statement: string) =>
  db.transaction(async () => {
    for (const text of ['set local role none', 'set local session_replication_role = replica', statement])
      await sql.raw(text).execute(db.q);
  });

const WHOLE = /^\d+ event\(s\) in \d+ seal\(s\); head .*\n[\s\S]*the audit is whole$/;

describe('audit verify, of an embedded database', () => {
  const directory = scratchDirectory();
  let nightshift: TestNightshift;
  const head = () => readFileSync(join(directory.path, 'audit.head'), 'utf8').trim();

  beforeAll(async () => {
    await copyEmbedded(directory.path);
    nightshift = await startNightshift({ database: 'embedded', dataDir: directory.path });
    await nightshift.deliver([alert({})]);
  });
  afterAll(() => directory.remove());

  it('reads through the running server, as an administrator only', async () => {
    expect(await verify(directory.path)).toMatchObject({ code: 0, out: expect.stringMatching(WHOLE), err: '' });
    const remote = {
      NIGHTSHIFT_URL: nightshift.app.url,
      NIGHTSHIFT_TOKEN: readFileSync(nightshift.app.adminTokenFile, 'utf8').trim(),
    };
    expect(await verify(directory.path, [], remote)).toMatchObject({
      code: 0,
      out: expect.stringContaining('no head to compare with'),
    });
    const { body } = await nightshift.api<{ secret: string }>('/tokens', { name: 'eve', role: 'viewer' });
    expect(await verify(directory.path, [], { ...remote, NIGHTSHIFT_TOKEN: body.secret })).toMatchObject({
      code: 1,
      err: expect.stringContaining('needs admin'),
    });
    expect((await nightshift.api('/audit/seals?after=nonsense')).status).toBe(400);
    expect(await verify(directory.path, ['--direct'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('in use by another Nightshift'),
    });
    await nightshift.stop();
  });

  it('reads the data directory itself while the server is stopped, and compares with the head that was kept there', async () => {
    const db = await openEmbedded(directory.path);
    await seal(db, directory.path);
    await db.close();
    const { code, out } = await verify(directory.path, ['--head', head().toUpperCase()]);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(WHOLE) });
    expect(out).toContain(`head ${head()}`);
    expect(out).toContain(`compared with 2 head(s), also from ${join(directory.path, 'audit.head')}`);
    expect(out).not.toContain('not sealed yet');
  });

  it('ends with 1 and names the row that was changed, and the head that is not there', async () => {
    const other = '0123456789abcdef'.repeat(4);
    expect(await verify(directory.path, ['--head', other])).toMatchObject({
      code: 1,
      out: expect.stringContaining(`head missing: ${other} is not in the chain`),
      err: expect.stringContaining('1 problem(s)'),
    });
    const db = await openEmbedded(directory.path);
    await tamper(db, `update event set actor = 'somebody else' where id = 2`);
    await db.close();
    const { code, out, err } = await verify(directory.path);
    expect({ code, out, err }).toEqual({
      code: 1,
      out: expect.stringMatching(/\n {2}row changed: event 2 of seal \d+: it is not what was sealed$/),
      err: expect.stringContaining('the audit was changed: 1 problem(s). Fix: '),
    });
    expect(out).not.toContain('whole');
  });

  it('says what it wants', async () => {
    expect(await verify(directory.path, ['--head', 'abc'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('64 hexadecimal digits'),
    });
    const empty = scratchDirectory();
    expect(await verify(empty.path)).toMatchObject({
      code: 1,
      err: expect.stringContaining(`there is no database in ${empty.path}`),
    });
    empty.remove();
  });
});

describe.runIf(databases.length > 1)('audit verify, of a served Postgres', () => {
  it('reads it directly without changing it, and says where there is no audit', async () => {
    const directory = scratchDirectory();
    const { url, drop } = await throwawayDatabaseUrl();
    const direct = () => verify(directory.path, ['--direct'], { DATABASE_URL: url });
    expect(await direct()).toMatchObject({ code: 1, err: expect.stringContaining('holds no audit') });
    const db = await openPostgres(url);
    try {
      await sql`insert into event (type, actor, data) select 'type', 'actor', '{}' from generate_series(1, 80)`.execute(
        db.q,
      );
      expect(await direct()).toMatchObject({ code: 0, out: expect.stringContaining('not sealed yet: 80 event(s)') });
      await seal(db, directory.path);
      expect(await direct()).toMatchObject({ code: 0, out: expect.stringMatching(/^80 event\(s\) in 1 seal\(s\)/) });
      await tamper(db, 'delete from event where id > 10');
      const { code, out } = await direct();
      expect(code).toBe(1);
      expect(out).toContain('row missing: event 11 of seal 1');
      expect(out).toContain('… and 20 more');
    } finally {
      await db.close();
      await drop();
      directory.remove();
    }
  });
});
