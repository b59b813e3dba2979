/** An audit that began long ago: events and seals with times of then, written by the owner past the triggers. */
import { sql } from 'kysely';
import { GENESIS, makeSeal, readPage } from '../../../src/audit/index.ts';
import type { Database } from '../../../src/database/index.ts';

/** Runs statements as the owner of the tables, past every trigger. */
export function asOwner(db: Database, ...statements: string[]): Promise<void> {
  return db.transaction(async () => {
    for (const statement of ['set local role none', 'set local session_replication_role = replica', ...statements])
      await sql.raw(statement).execute(db.q);
  });
}

/** Adds so many seals, each over so many events that bear the time of so many days ago, about no incident or about this one. */
export async function addOldSeals(
  db: Database,
  {
    seals,
    events,
    daysAgo,
    incident = null,
  }: { seals: number; events: number; daysAgo: number; incident?: number | null },
): Promise<void> {
  for (let n = 0; n < seals; n += 1) {
    const at = new Date(Date.now() - daysAgo * 86_400_000 + n * 1000).toISOString();
    await asOwner(
      db,
      `insert into event (incident_id, at, type, actor, data)
        select ${incident}, '${at}', 'old', 'test', '{}' from generate_series(1, ${events})`,
    );
    const { rows } = await sql<{ id: string; sha256: string }>`
      select id::text as id, sha256 from seal order by seal.id desc limit 1`.execute(db.q);
    const last = rows[0] ? { seal: rows[0].id, sha256: rows[0].sha256 } : GENESIS;
    const page = await readPage(db, rows[0]?.id ?? null);
    const [{ rows: times }] = [
      await sql<{ at: string }>`select extract(epoch from ${at}::timestamptz)::text as at`.execute(db.q),
    ];
    const seal = makeSeal(last, page.events, times[0]?.at ?? '');
    await asOwner(
      db,
      `insert into seal (id, covered, event_sha256, previous_sha256, at, sha256) values (${seal.id}, '${seal.covered}',
        decode('${seal.eventSha256}', 'hex'), '${seal.previousSha256}', '${at}', '${seal.sha256}')`,
    );
  }
}
