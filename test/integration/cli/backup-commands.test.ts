import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkDumpFile } from '../../../src/backup/index.ts';
import { runCli } from '../../../src/cli/index.ts';
import { openEmbedded, openPostgres } from '../../../src/database/index.ts';
import { databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { eventually, scratchDirectory } from '../../real-parts/program.ts';
import {
  alert,
  type Service,
  type Setup,
  startNightshift,
  startService,
  type TestNightshift,
} from '../support/nightshift.ts';

const PURGE = `---
match: ['alertname="SpoolStuck"']
steps:
  - tool: host.purge
    with: { directory: shop }
    why: The poison job blocks all others.
verify:
  - tool: http.probe
    with: { url: "http://{{ labels.instance }}/healthz" }
    expect: status == 200
    within: 500ms
---
# Spool is stuck
Purge the spool.
`;

async function run(dataDir: string, argv: readonly string[], env: Record<string, string> = {}) {
  const said = { out: [] as string[], err: [] as string[] };
  const code = await runCli({
    argv,
    env: { NIGHTSHIFT_DATA_DIR: dataDir, ...env },
    directory: dataDir,
    out: (text) => void said.out.push(text),
    err: (text) => void said.err.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  return { code, out: said.out.join('\n'), err: said.err.join('\n') };
}

/** What the timeline says of the restore into a data directory, or into the database that the environment names. */
async function restoredEvent(dataDir: string, { DATABASE_URL: url }: Record<string, string>): Promise<unknown> {
  const db = await (url ? openPostgres(url) : openEmbedded(dataDir));
  const row = await db.q.selectFrom('event').select('data').where('type', '=', 'backup.restored').executeTakeFirst();
  await db.close();
  return row?.data;
}

/** Each test makes embedded databases, which takes seconds each, and many on a machine that is busy. */
const SLOW_MS = 180_000;

describe.each(databases.map(({ name }) => name))('backup and restore on %s', { timeout: SLOW_MS }, (kind) => {
  const scratch = scratchDirectory();
  const file = join(scratch.path, 'all.dump.gz');
  let service: Service;
  let nightshift: TestNightshift;
  let id = 0;

  const start = (change: Partial<Setup> = {}) =>
    startNightshift({
      database: kind,
      runbooks: { 'spool.md': PURGE },
      config: {
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          spool: { uses: 'host', directories: { shop: { path: service.spool } } },
        },
      },
      ...change,
    });
  /** The incident that was open in the backup goes on: the approval that was asked for is given, and carried out once. */
  const finish = async (again: TestNightshift) => {
    await service.jam();
    const waiting = await again.until(id, 'awaiting_approval');
    await again.api(`/approvals/${waiting.approvals[0]?.id}/decision`, { decision: 'approve' });
    const acted = await again.until(id, ({ state }) => !['awaiting_approval', 'acting'].includes(state));
    expect(acted.events.filter(({ type }) => type === 'action.succeeded')).toHaveLength(1);
    expect(await service.jobs()).toEqual([]);
  };

  beforeAll(async () => {
    service = await startService();
    await service.jam();
    nightshift = await start();
    const { body } = await nightshift.deliver([alert({ instance: service.instance })]);
    id = (body.incidents as number[])[0] ?? 0;
    await nightshift.until(id, 'awaiting_approval');
  });
  afterAll(async () => {
    await service?.stop();
    scratch.remove();
  });

  it('asks the running server, as an administrator only, and leaves an event but no file there', async () => {
    const before = readdirSync(nightshift.dataDir);
    const made = await run(nightshift.dataDir, ['backup', file]);
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/rows of \d+ tables/) });
    expect(made.out).toContain('with admin.token, webhook.token');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await run(nightshift.dataDir, ['backup', file])).toMatchObject({
      code: 1,
      err: expect.stringContaining('--force'),
    });
    expect(await run(nightshift.dataDir, ['backup', file, '--force'])).toMatchObject({ code: 0 });
    // The feed waits for every transaction of the server that is older, of other databases too.
    const taken = await eventually('both backups in the feed', async () => {
      const { body } = await nightshift.api<{ events: { type: string; actor: string }[] }>('/events?limit=1000');
      const found = body.events.filter(({ type }) => type === 'backup.taken');
      return found.length < 2 ? undefined : found;
    });
    expect(taken).toEqual([expect.objectContaining({ actor: 'admin' }), expect.objectContaining({ actor: 'admin' })]);
    // The head of the audit is written with its first seal, whenever that is.
    const known = [...before, 'audit.head'];
    expect(readdirSync(nightshift.dataDir).filter((name) => !known.includes(name))).toEqual(['snapshots']);
    expect(readdirSync(join(nightshift.dataDir, 'snapshots'))).toEqual([]);

    const { body: viewer } = await nightshift.api<{ secret: string }>('/tokens', { name: 'eve', role: 'viewer' });
    const remote = { NIGHTSHIFT_URL: nightshift.app.url, NIGHTSHIFT_TOKEN: viewer.secret };
    const other = join(scratch.path, 'other');
    expect(await run(scratch.path, ['backup', other], remote)).toMatchObject({
      code: 1,
      err: expect.stringContaining('needs admin'),
    });
    expect(existsSync(other)).toBe(false);
    const admin = readFileSync(nightshift.app.adminTokenFile, 'utf8').trim();
    expect(await run(scratch.path, ['backup', other], { ...remote, NIGHTSHIFT_TOKEN: admin })).toMatchObject({
      code: 0,
      out: expect.stringContaining('without the files of the data directory'),
    });
    expect((await checkDumpFile(other)).files).toEqual([]);
  });

  it('goes on with what was open, on the same kind of database', async () => {
    const keep = join(scratch.path, 'source');
    if (kind === 'embedded') {
      const locked = await run(nightshift.dataDir, ['migrate'], {
        NIGHTSHIFT_MIGRATE_TO: 'postgres://x@127.0.0.1:1/x',
      });
      expect(locked).toMatchObject({ code: 1, err: expect.stringContaining('stop Nightshift first') });
      await nightshift.app.stop();
      cpSync(nightshift.dataDir, keep, { recursive: true });
      rmSync(nightshift.dataDir, { recursive: true });
    } else await nightshift.stop();
    const fresh = join(scratch.path, 'fresh');
    mkdirSync(fresh);
    const served = kind === 'postgres' ? await throwawayDatabaseUrl() : null;
    const env: Record<string, string> = served ? { DATABASE_URL: served.url } : {};
    const restored = await run(fresh, ['restore', file], env);
    expect(restored).toMatchObject({ code: 0, out: expect.stringContaining('whole') });
    expect(readdirSync(fresh)).toEqual(expect.arrayContaining(['admin.token', 'webhook.token']));
    expect(readdirSync(fresh).filter((name) => name.includes('.restored-'))).toEqual([]);
    // As if the restore had been cut off before its last step.
    const admin = readFileSync(join(fresh, 'admin.token'), 'utf8');
    const { sha256 } = (await restoredEvent(fresh, env)) as { sha256: string };
    renameSync(join(fresh, 'admin.token'), join(fresh, `admin.token.restored-${sha256}`));
    const again = await start({ database: 'embedded', dataDir: fresh, env });
    expect(readFileSync(join(fresh, 'admin.token'), 'utf8')).toBe(admin);
    await finish(again);
    await again.stop();
    expect(await run(fresh, ['audit', 'verify'], env)).toMatchObject({
      code: 0,
      out: expect.stringContaining('the audit is whole'),
    });
    await served?.drop();
  });

  if (kind === 'embedded')
    it('says that files are damaged, which snapshot is the newest, and the commands that help', async () => {
      const directory = join(scratch.path, 'fresh');
      const db = await openEmbedded(directory);
      const { rows } = await sql<{ path: string }>`select pg_relation_filepath('event') as path`.execute(db.q);
      await db.close();
      truncateSync(join(directory, 'postgres', rows[0]?.path ?? ''), 0);
      await expect(start({ dataDir: directory })).rejects.toMatchObject({
        code: 'data_dir_damaged',
        message: expect.stringContaining(`there is no snapshot in ${join(directory, 'snapshots')}`),
      });
      const snapshot = join(directory, 'snapshots', 'nightshift-20261101T100000Z.dump.gz');
      mkdirSync(join(directory, 'snapshots'), { recursive: true });
      copyFileSync(file, snapshot);
      await expect(start({ dataDir: directory })).rejects.toMatchObject({
        code: 'data_dir_damaged',
        message: expect.stringContaining(`nightshift restore ${snapshot}`),
      });
      renameSync(join(directory, 'postgres'), join(directory, 'postgres.damaged'));
      const restored = await run(directory, ['restore', snapshot]);
      // What was sealed after the snapshot is lost, and that is not forgotten.
      expect(restored).toMatchObject({ code: 0, out: expect.stringContaining('as proof of what is lost') });
      const again = await start({ dataDir: directory });
      await finish(again);
      await again.stop();
      expect(await run(directory, ['audit', 'verify'])).toMatchObject({ code: 0 });
      expect(readdirSync(directory).filter((name) => name.startsWith('audit.head.before-'))).toHaveLength(1);
    });

  if (kind === 'embedded' && databases.length > 1)
    it('moves an embedded database to a Postgres and leaves it as it is', async () => {
      const source = join(scratch.path, 'source');
      const served = await throwawayDatabaseUrl();
      const env = { NIGHTSHIFT_MIGRATE_TO: served.url };
      expect(await run(source, ['migrate'])).toMatchObject({
        code: 1,
        err: expect.stringContaining('NIGHTSHIFT_MIGRATE_TO'),
      });
      for (const wrong of ['mysql://x/y', 'nowhere'])
        expect(await run(source, ['migrate', '--to', wrong])).toMatchObject({
          code: 1,
          err: expect.stringContaining('--to: is no URL that starts with postgres://'),
        });
      const missing = served.url.replace(/[^/]+$/, 'no_such_database');
      expect(await run(source, ['migrate', '--to', missing])).toMatchObject({
        code: 1,
        err: expect.stringMatching(/Fix: make it \(createdb, .*correct the name in --to/),
      });
      expect(await run(source, ['migrate'], { ...env, DATABASE_URL: missing })).toMatchObject({
        code: 1,
        err: expect.stringContaining('DATABASE_URL is set to another Postgres'),
      });
      const moved = await run(source, ['migrate'], { ...env, DATABASE_URL: served.url });
      expect(moved).toMatchObject({ code: 0, out: expect.stringMatching(/was left as it is[\s\S]*set DATABASE_URL/) });
      expect(await run(source, ['migrate'], env)).toMatchObject({ code: 1, err: expect.stringContaining('not empty') });
      const again = await start({ dataDir: source, env: { DATABASE_URL: served.url } });
      await finish(again);
      const { body } = await again.api<{ events: { type: string }[] }>('/events?limit=1000');
      expect(body.events.map(({ type }) => type)).toContain('database.moved');
      await again.stop();
      expect(await run(source, ['audit', 'verify'], { DATABASE_URL: served.url })).toMatchObject({ code: 0 });
      // The embedded one knows nothing of it.
      const db = await openEmbedded(source);
      expect(await db.q.selectFrom('incident').select('state').execute()).toEqual([{ state: 'awaiting_approval' }]);
      await db.close();
      await served.drop();
    });
});
