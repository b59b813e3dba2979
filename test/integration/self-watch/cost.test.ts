/** What watching itself costs a database that has been in use for months. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openPostgres } from '../../../src/database/index.ts';
import { measure } from '../../../src/self-watch/measure.ts';
import { baselines, deviatingBefore, newestSamples, raisedNow } from '../../../src/self-watch/store.ts';
import { throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { asOwner } from '../retention/old-audit.ts';
import { addPast } from './stored.ts';

describe('watching itself', () => {
  let db: Database;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const made = await throwawayDatabaseUrl();
    drop = made.drop;
    db = await openPostgres(made.url);
    await sql`
      insert into incident (state, correlation_key, title, severity, labels, trace_id, context, closed_at, opened_at)
      select case n % 1000 when 0 then 'escalated' else 'resolved' end, n::text, 't', 'warning', '{}', '', '{"v": 1}',
        case n % 1000 when 0 then null else now() - n * interval '5 minutes' end, now() - (n + 1) * interval '5 minutes'
      from generate_series(1, 20000) n`.execute(db.q);
    await sql`
      insert into alert (incident_id, cycle, source, fingerprint, status, labels, annotations, starts_at)
      select id, 1, case id % 5000 when 0 then 'nightshift' else 'alertmanager' end, id::text, 'resolved', '{}', '{}', now()
      from incident`.execute(db.q);
    await sql`
      insert into model_call (at, incident_id, role, model, prompts, prompt_sha256, question_sha256, outcome, latency_ms, request)
      select now() - id * interval '5 minutes', id, 'plan', 'm', '[]', '', '', 'ok', 100, '{}' from incident`.execute(
      db.q,
    );
    for (const agent of ['diagnose', 'plan', 'triage'])
      await addPast(db, 'latency_p95', { agent, count: (30 * 24 * 60) / 5, minutesAgo: 0 });
    await asOwner(db, 'analyze');
  });
  afterAll(async () => {
    await db?.close();
    await drop?.();
  });

  it('reads no table from its beginning to its end', async () => {
    const scanned = await db.transaction(async () => {
      const before = await scans();
      const measured = await measure(db, { depth: async () => [] });
      expect(measured).toContainEqual({ signal: 'latency_p95', agent: 'plan', value: 0.1, observations: 11 });
      expect((await baselines(db)).size).toBe(3);
      expect(await newestSamples(db)).toHaveLength(3);
      await deviatingBefore(db, new Date());
      await raisedNow(db);
      return (await scans()).filter((table) => !before.includes(table));
    });
    expect(scanned).toEqual([]);

    /** Every table with how often it was read so; the views without xact lag behind, this one knows of earlier transactions too. */
    async function scans(): Promise<string[]> {
      const { rows } = await sql<{ table: string }>`
        select relname || ' ' || seq_scan as table from pg_stat_xact_user_tables where schemaname = 'public'`.execute(
        db.q,
      );
      return rows.map(({ table }) => table);
    }
  });
});
