/** Rows as Nightshift would have written them, so that no test waits for an hour or a week. */
import { sql } from 'kysely';
import type { Database } from '../../../src/database/index.ts';

/** The beginning of the five minutes that it is now. */
export const ROUND = sql.raw(`date_bin(interval '5 minutes', clock_timestamp(), timestamptz '2000-01-01 00:00:00Z')`);

/** Writes calls of a model of the last hour. */
export async function addCalls(
  db: Database,
  count: number,
  { role = 'plan', ms = 1000, outcome = 'ok', minutesAgo = 10, incident = null as number | null } = {},
): Promise<void> {
  await sql`
    insert into model_call (at, incident_id, role, model, prompts, prompt_sha256, question_sha256, outcome, latency_ms, request)
    select clock_timestamp() - ${minutesAgo} * interval '1 minute', ${incident}, ${role}, 'm', '[]', '', '', ${outcome}, ${ms}, '{}'
    from generate_series(1, ${count})`.execute(db.q);
}

/** Writes samples of one subject, one in every five minutes before so many minutes ago, alternating between two values. */
export async function addPast(
  db: Database,
  signal: string,
  { agent = 'plan', low = 7, high = 9, count = 300, minutesAgo = 65, observations = 20 as number | null } = {},
): Promise<void> {
  await sql`
    insert into slo_sample (at, signal, agent, value, observations, deviates)
    select ${ROUND} - (${minutesAgo} + 5 * n) * interval '1 minute', ${signal}, ${agent},
      case n % 2 when 0 then ${low}::float8 else ${high}::float8 end, ${observations}::int, false
    from generate_series(1, ${count}) n`.execute(db.q);
}
