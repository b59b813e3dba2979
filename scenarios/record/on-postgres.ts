/** A Postgres of its own for each story, so that nobody else's sessions are in what is recorded. */
import { execFileSync } from 'node:child_process';
import { chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { eventually, freePort, scratchDirectory, startProgram } from '../../test/real-parts/program.ts';
import { type Asked, Recorder } from './recorder.ts';

/** The newest that Debian has put here. */
export const BIN = `/usr/lib/postgresql/${readdirSync('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a))[0]}/bin`;
export const SYSTEM = execFileSync(join(BIN, 'postgres'), ['--version'], { encoding: 'utf8' })
  .replace(/^postgres \((PostgreSQL)\) ([0-9.]+).*\n?$/s, '$1 $2')
  .trim();
/** What stands before a program of Postgres, which will not run as root. */
export const AS =
  process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', '--'] : [];

interface Shop {
  readonly recorder: Recorder;
  readonly admin: pg.Client;
  /** Opens a session of a program of the shop. */
  session(name: string): Promise<{ client: pg.Client; pid: number }>;
}

/** What says most of a server's state. */
export const ALL: Asked[] = ['activity', 'locks', 'bloat', 'replication', 'size'].map(
  (tool) => ['orders-db', `postgres.${tool}`] as const,
);

/** Runs one story on a server whose database `orders` has a table of 20,000 rows. */
export async function onPostgres(story: (shop: Shop) => Promise<void>, options: readonly string[] = []): Promise<void> {
  const { path: directory, remove } = scratchDirectory();
  const data = join(directory, 'data');
  const port = await freePort();
  if (AS.length > 0) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' })));
    chownSync(directory, uid ?? 0, gid ?? 0);
  }
  const run = (program: string, ...args: string[]) => {
    const [command = '', ...rest] = [...AS, join(BIN, program), ...args];
    execFileSync(command, rest, { stdio: 'ignore', cwd: directory, timeout: 60_000 });
  };
  run('initdb', '-D', data, '-U', 'shop_owner', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync');
  const [command = '', ...args] = [
    ...[...AS, join(BIN, 'postgres'), '-D', data, '-p', String(port), '-k', directory, '-h', '127.0.0.1', '-F'],
    ...['wal_level=logical', 'autovacuum=off', 'deadlock_timeout=200ms', ...options].flatMap((option) => [
      '-c',
      option,
    ]),
  ];
  const program = await startProgram(command, args, { directory });
  const open: pg.Client[] = [];
  const connect = async (application_name: string, database = 'orders') => {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'shop_owner', database, application_name });
    client.on('error', () => {});
    await client.connect();
    open.push(client);
    return client;
  };
  try {
    await program.waitForLine(/ready to accept connections/);
    const first = await eventually('a session', async () => connect('setup', 'postgres').catch(() => undefined));
    await first.query('create database orders');
    await first.end();
    const admin = await connect('nightshift');
    await admin.query(`create table orders (id int primary key, customer text, state text default 'new');
      insert into orders select n, 'customer ' || n from generate_series(1, 20000) as n; analyze orders`);
    const settings = { host: '127.0.0.1', port, database: 'orders', username: 'shop_owner', tls: 'off' };
    const recorder = new Recorder({
      real: { 'orders-db': { uses: 'postgres', settings } },
      shown: {
        'orders-db': {
          uses: 'postgres',
          match: ['datname="orders"'],
          host: 'db.orders.example',
          database: 'orders',
          username: 'nightshift',
          tls: 'verify',
        },
      },
      names: { [directory]: '/srv/postgres' },
    });
    const session = async (name: string) => {
      const client = await connect(name);
      return { client, pid: (client as unknown as { processID: number }).processID };
    };
    await story({ recorder, admin, session });
  } finally {
    await Promise.allSettled(open.map((client) => client.end()));
    await program.stop();
    remove();
  }
}

/** An alert about that database. */
export const alert = (
  alertname: string,
  summary: string,
  labels: Record<string, string> = {},
  annotations: Record<string, string> = {},
) => ({
  labels: { alertname, service: 'orders', datname: 'orders', severity: 'critical', ...labels },
  annotations: { summary, ...annotations },
});
