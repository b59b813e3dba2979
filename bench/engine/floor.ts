import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** So many transitions has an incident from its opening to its end, and so has each run of the floor. */
export const TRANSITIONS = 8;

/**
 * Makes what the machine can do at best: runs of eight times BEGIN, UPDATE, INSERT, COMMIT, of about the same size as an incident's, by so
 * many workers with a connection each. Gives the runs in a second.
 */
export async function measureFloor(
  url: string,
  { runs, concurrency }: { runs: number; concurrency: number },
): Promise<number> {
  const pool = new pg.Pool({ connectionString: url, max: concurrency });
  // A connection that has been told to end may live until the database is dropped.
  pool.on('error', () => {});
  try {
    await pool.query(`create table if not exists floor_run (id int primary key, state text not null, version int not null, context jsonb not null);
      create table if not exists floor_event (id bigint generated always as identity primary key, run_id int not null, type text not null, data jsonb not null);
      truncate floor_run, floor_event`);
    await pool.query(`insert into floor_run select n, 'received', 0, '{}' from generate_series(1, $1) as n`, [runs]);
    const context = JSON.stringify({ v: 1, attempt: 1, failures: 0, notes: ['x'.repeat(600)] });
    const data = JSON.stringify({ from: 'received', to: 'triaged', because: 'x'.repeat(200) });
    let next = 0;
    const worker = async () => {
      const client = await pool.connect();
      try {
        for (let run = ++next; run <= runs; run = ++next)
          for (let version = 1; version <= TRANSITIONS; version += 1) {
            await client.query('begin');
            await client.query('update floor_run set state = $1, version = $2, context = $3 where id = $4', [
              `state-${version}`,
              version,
              context,
              run,
            ]);
            await client.query('insert into floor_event (run_id, type, data) values ($1, $2, $3)', [
              run,
              'moved',
              data,
            ]);
            await client.query('commit');
          }
      } finally {
        client.release();
      }
    };
    // The last round's writes are still on their way to the disk.
    await pool.query('checkpoint').catch(() => sleep(100));
    const started = performance.now();
    await Promise.all(Array.from({ length: concurrency }, worker));
    return runs / ((performance.now() - started) / 1000);
  } finally {
    await pool.end();
  }
}
