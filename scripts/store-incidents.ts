/**
 * Keeps incidents of a version, stopped at every moment of their way, for the test that later versions bring them to their end:
 * `node scripts/store-incidents.ts NAME [DIRECTORY]`, of this checkout or of another one. Needs NIGHTSHIFT_TEST_DATABASE_URL.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import pg from 'pg';
import { stringify } from 'yaml';
import { pinRunbooks } from '../src/rag/index.ts';
import { startProcesses } from '../test/integration/support/processes.ts';
import {
  alertOf,
  type Frozen,
  MOMENTS,
  type Moment,
  POLICY,
  PORT,
  RUNBOOK,
} from '../test/integration/upgrade/frozen.ts';
import { throwawayDatabaseUrl } from '../test/real-parts/databases.ts';
import { eventually, freePort, type Program, scratchDirectory, startProgram } from '../test/real-parts/program.ts';

const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'test/fixtures/stored-incidents');
/** Whose rows are secret, or only hold true where they were written. */
const LEFT_OUT = [
  'kysely_migration',
  'kysely_migration_lock',
  'token',
  'session',
  'installation',
  'seal',
  'slack_request',
];
const STARTS_AT = new Date(Date.now() - 60_000).toISOString();

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly labels?: Record<string, string>;
  readonly approvals: readonly { id: string; status: string; digest: string }[];
}

const [name, code = ROOT] = process.argv.slice(2);
if (!name || !/^[a-z0-9.-]+$/.test(name)) throw new Error('usage: node scripts/store-incidents.ts NAME [DIRECTORY]');
const database = await throwawayDatabaseUrl();
const db = new pg.Client({ connectionString: database.url });
const { path: home, remove } = scratchDirectory();
const processes = await startProcesses([], PORT);
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
let program = null as Program | null;
try {
  for (const folder of ['runbooks', 'policies', 'data']) mkdirSync(join(home, folder));
  writeFileSync(join(home, 'runbooks/process-down.md'), RUNBOOK);
  writeFileSync(join(home, 'policies/test.yaml'), POLICY);
  await pinRunbooks([join(home, 'runbooks')]);
  writeFileSync(
    join(home, 'nightshift.yaml'),
    stringify({
      mode: 'auto',
      toolsets: { processes: { uses: 'supervisor', url: processes.url } },
      approval: { ttlSeconds: 3600 },
      verification: { intervalSeconds: 0.5, confirmWithinSeconds: 3600 },
      limits: { perTargetTenMinutes: 50, perTargetDay: 50 },
    }),
  );
  await db.connect();
  for (const moment of MOMENTS) await freeze(moment);
  await keep(name);
} catch (error) {
  const { rows } = await db.query('select type, data::text from event order by id desc limit 12');
  console.error(rows.map((row) => `${row.type} ${row.data.slice(0, 300)}`).join('\n'), program?.output().slice(-3000));
  throw error;
} finally {
  await program?.kill9();
  await processes.stop();
  await db.end();
  await database.drop();
  remove();
}

async function freeze(moment: (typeof MOMENTS)[number]): Promise<void> {
  const [killedAt, answer] = ['killedAt' in moment ? moment.killedAt : '', 'answer' in moment ? moment.answer : null];
  program = await startProgram(process.execPath, [join(code, 'src/main.ts'), 'start'], {
    directory: home,
    env: {
      PATH: process.env.PATH ?? '',
      LANG: 'C.UTF-8',
      DATABASE_URL: database.url,
      NIGHTSHIFT_DATA_DIR: join(home, 'data'),
      NIGHTSHIFT_PORT: String(port),
      NIGHTSHIFT_FAILPOINT: killedAt,
    },
  });
  await program.waitForLine(/"message":"listening".*\n/, 60);
  await send('/webhooks/alertmanager', 'webhook', {
    version: '4',
    status: 'firing',
    alerts: [alertOf(moment.name, STARTS_AT)],
  });
  if (answer !== null) await decide(await reaches(moment.name, 'awaiting_approval'), answer);
  if (killedAt !== '') await program.exited;
  else await leaveWaiting(moment.name);
  await program.kill9();
  // Whoever starts next takes it for a worker's that lives, or for not due.
  await db.query(`update pgboss.job set heartbeat_seconds = 86400 where state = 'active'`);
  await db.query(`update pgboss.job set start_after = now() + interval '1 day' where state in ('created', 'retry')`);
  console.error(
    `${moment.name}: ${(await db.query(`select state from incident order by id desc limit 1`)).rows[0]?.state}`,
  );
}

async function leaveWaiting(moment: Moment): Promise<void> {
  const end = {
    'nobody-knows': 'escalated',
    denied: 'escalated',
    asked: 'awaiting_approval',
    stopped: 'awaiting_approval',
    resolved: 'verifying',
  };
  const { id } = await reaches(moment, end[moment as keyof typeof end]);
  if (moment === 'stopped') {
    await send(`/api/v1/incidents/${id}/words`, 'admin', { word: 'stop' });
    await reaches(moment, 'stopped');
  }
  if (moment === 'resolved') {
    const alerts = [alertOf(moment, STARTS_AT, 'resolved')];
    await send('/webhooks/alertmanager', 'webhook', { version: '4', status: 'resolved', alerts });
    await reaches(moment, 'resolved');
  }
  // What follows, such as a message, is written as well.
  await sleep(500);
}

async function reaches(moment: Moment, state: string): Promise<Shown> {
  return eventually(`${moment} is ${state}`, async () => {
    const { rows } = await db.query(`select id from incident where labels ->> 'service' = $1 and state = $2`, [
      moment,
      state,
    ]);
    return rows[0] ? send<Shown>(`/api/v1/incidents/INC-${rows[0].id}`, 'admin') : undefined;
  });
}

async function decide({ approvals }: Shown, decision: string): Promise<void> {
  const pending = approvals.find(({ status }) => status === 'pending');
  await send(`/api/v1/approvals/${pending?.id}/decision`, 'admin', { decision, reason: '', digest: pending?.digest });
}

async function send<T>(path: string, as: 'admin' | 'webhook', body?: unknown): Promise<T> {
  const token = readFileSync(join(home, `data/${as}.token`), 'utf8').trim();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(
    `${url}${path}`,
    body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) },
  );
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

async function keep(as: string): Promise<void> {
  await db.query(
    `set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set extra_float_digits = 1; set bytea_output = 'hex'`,
  );
  const tables: Record<string, Frozen['tables'][string]> = {};
  const { rows: found } = await db.query(
    `
    select c.relname as table, array_agg(quote_ident(attname) order by attnum) as columns
    from pg_class c join pg_attribute on attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = ''
    where relkind = 'r' and relnamespace = 'public'::regnamespace and not relname = any($1) group by 1 order by 1`,
    [LEFT_OUT],
  );
  for (const { table, columns } of found as { table: string; columns: string[] }[]) {
    const { rows } = await db.query({
      text: `select ${columns.map((one) => `${one}::text`)} from "${table}"`,
      rowMode: 'array',
    });
    if (rows.length > 0) tables[table] = { columns: columns.map((one) => one.replaceAll('"', '')), rows };
  }
  const { rows: applied } = await db.query('select name from kysely_migration order by name');
  const frozen: Frozen = {
    commit: execFileSync('git', ['-C', code, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    at: new Date().toISOString(),
    migrations: applied.map((row) => row.name as string),
    tables,
  };
  const text = JSON.stringify(frozen);
  const secret = /\/tmp\/|\/home\/|\/work\/|nst_|127\.0\.0\.1/.exec(text);
  if (secret)
    throw new Error(`it holds what is of this machine: ${text.slice(secret.index - 100, secret.index + 100)}`);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${as}.json.gz`), gzipSync(text, { level: 9 }));
}
