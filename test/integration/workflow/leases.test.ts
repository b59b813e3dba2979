/** The right to advance an incident: kept while its holder lives, and nothing without it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, openPostgres } from '../../../src/database/index.ts';
import { openIncident } from '../../../src/incident/index.ts';
import { startQueue } from '../../../src/remediation/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { alert, startNightshift } from '../support/nightshift.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** More than there are sessions in the pool. */
const BUSY = 12;
let served: { url: string; drop: () => Promise<void> };
let db: Database;
beforeAll(async () => {
  served = await throwawayDatabaseUrl();
  db = await openPostgres(served.url);
});
afterAll(async () => {
  await db.close();
  await served.drop();
});

it('lands nothing once the lease has lapsed, though nobody else has moved the incident yet', async () => {
  let lapsed = false;
  const nightshift = await startNightshift({
    database: 'postgres',
    runbooks: {},
    config: {},
    failpoint: (name) => {
      if (name !== 'land.before.investigated' || lapsed) return;
      lapsed = true;
      lapse(nightshift.databaseUrl ?? '');
    },
  });
  const client = new pg.Client({ connectionString: nightshift.databaseUrl ?? '' });
  await client.connect();
  try {
    const { body } = await nightshift.deliver([alert({ service: 'shop' })]);
    const [id] = body.incidents as [number];
    const gaveUp = () => nightshift.log().some(({ message }) => message === 'another worker has this incident now');
    await expect.poll(gaveUp, { timeout: 10_000 }).toBe(true);
    expect((await nightshift.incident(id)).state).toBe('triaged');
    await client.query(`update pgboss.job set start_after = now() where state = 'created'`);
    const { events } = await nightshift.until(id, 'escalated');
    expect(events.filter(({ type }) => type === 'evidence.gathered')).toHaveLength(1);
  } finally {
    await client.end();
    await nightshift.stop();
  }
});

it('keeps leases alive while every session of the pool is busy, and has those that are given back at once', async () => {
  const queue = await startQueue(db, createLogger('silent'));
  let busy: Promise<unknown>[] = [];
  try {
    const id = await openIncident(db, {
      ...{ state: 'received', correlationKey: 'k', title: 't', severity: 'critical', labels: {} },
      ...{ context: { v: 1 }, because: 'b', actor: 'a' },
    });
    await queue.enqueue([{ incidentId: id, severity: 'critical', team: null }], 0);
    const leases = await queue.take(1);
    expect(leases).toMatchObject([{ incidentId: id }]);
    busy = Array.from({ length: BUSY }, () => sql`select pg_sleep(1.5)`.execute(db.q));
    const kept = queue.keep(leases);
    const first = await Promise.race([kept, ...busy.map((one) => one.then(() => 'one of the others'))]);
    expect(first).toEqual([]);
    // A stop may find nothing to give back.
    await queue.release([]);
    await queue.release(leases);
    expect(await queue.take(1)).toMatchObject([{ incidentId: id }]);
  } finally {
    await Promise.all(busy);
    await queue.stop();
  }
});

/** What the queue does to a job whose heartbeat has stopped, but for an hour nobody takes it; by a program of its own, because nothing may run in between. */
function lapse(url: string): void {
  const lapsing = `import pg from 'pg';
    const client = new pg.Client({ connectionString: process.argv[1] });
    await client.connect();
    await client.query("update pgboss.job set state = 'created', start_after = now() + interval '1 hour' where state = 'active' and name = 'advance-incident'");
    await client.end();`;
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', lapsing, url], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(done.stderr);
}
