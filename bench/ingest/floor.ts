import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

export interface FloorOptions {
  readonly databaseUrl: string;
  readonly connections: number;
  readonly rowsPerInsert: number;
  /** What each row holds. */
  readonly payload: string;
  readonly seconds: number;
}

/**
 * Gives the rows per second that pgbench inserts into a table of nothing but an id and the payload, one durable statement a
 * transaction. The payload is a parameter, so that it travels each time, and the statement is prepared.
 * @throws Error where there is no pgbench (package postgresql-contrib).
 */
export async function insertFloor(options: FloorOptions): Promise<number> {
  const { databaseUrl, connections, rowsPerInsert, payload, seconds } = options;
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(
    'create table if not exists floor (id bigint generated always as identity primary key, body text not null)',
  );
  await client.query('truncate floor');
  await client.end();
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-bench-'));
  const script = join(folder, 'insert.sql');
  writeFileSync(script, `insert into floor (body) values ${Array(rowsPerInsert).fill('(:body)').join(', ')};\n`);
  const shape = ['-n', '-M', 'prepared', '-c', `${connections}`, '-j', '2', '-T', `${seconds}`];
  try {
    const { stdout } = await promisify(execFile)('pgbench', [
      ...shape,
      '-D',
      `body=${payload}`,
      '-f',
      script,
      databaseUrl,
    ]);
    const found = /tps = ([\d.]+)/.exec(stdout)?.[1];
    if (!found) throw new Error(`pgbench said no tps: ${stdout}`);
    return Number(found) * rowsPerInsert;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
