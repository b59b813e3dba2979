/** The samples, and the alerts that came of them. */
import { sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../database/index.ts';
import { ABOUT_ITSELF } from '../incident/index.ts';
import { type Baseline, keyOf, OBSERVATIONS_MIN, type Sample, SIGNALS, type Subject } from './signal.ts';

export const ROUND_MINUTES = 5;
/** What was sampled longer ago than this is neither the round before nor what is now. */
const RECENT = sql.raw(`interval '${3 * ROUND_MINUTES} minutes'`);
const ROUND = sql.raw(
  `date_bin(interval '${ROUND_MINUTES} minutes', clock_timestamp(), timestamptz '2000-01-01 00:00:00Z')`,
);

const subjectSchema = z.object({ signal: z.enum(SIGNALS), agent: z.string() });

/**
 * Takes the round of these five minutes for this replica until the current transaction ends, and gives its beginning; null where another
 * one has it, or it was made already.
 */
export async function takeRound(db: Database): Promise<Date | null> {
  const { rows } = await sql<{ at: Date }>`
    select r.at from (select ${ROUND} as at) r
    where not exists (select from slo_sample s where s.at = r.at)
      and pg_try_advisory_xact_lock(hashtextextended('nightshift self-watch', 0))`.execute(db.q);
  const at = rows[0]?.at;
  if (!at) return null;
  // Who had the lock a moment ago may have made it since this statement began.
  const made = await db.q.selectFrom('slo_sample').select('at').where('at', '=', at).limit(1).executeTakeFirst();
  return made ? null : at;
}

/** Gives what the samples of the seven days before the last hour are like, by subject; those of too few observations do not count. */
export async function baselines(db: Database): Promise<ReadonlyMap<string, Baseline>> {
  const { rows } = await sql<Baseline>`
    select signal, agent, count(*)::int as samples, avg(value) as mean, coalesce(stddev_samp(value), 0) as stddev
    from slo_sample
    where at > now() - interval '7 days' and at <= now() - interval '1 hour'
      and (observations is null or observations >= ${OBSERVATIONS_MIN})
    group by signal, agent`.execute(db.q);
  return new Map(rows.map((row) => [keyOf(row), row]));
}

/** Gives what deviated in the last round before this one; null where there was none in the last quarter of an hour. */
export async function deviatingBefore(db: Database, at: Date): Promise<ReadonlySet<string> | null> {
  const { rows } = await sql<Subject & { deviates: boolean }>`
    select signal, agent, deviates from slo_sample
    where at = (select max(at) from slo_sample where at < ${at} and at >= ${at}::timestamptz - ${RECENT})`.execute(
    db.q,
  );
  return rows.length === 0 ? null : new Set(rows.filter(({ deviates }) => deviates).map(keyOf));
}

/** Writes the samples of a round. */
export async function addSamples(db: Database, at: Date, samples: readonly Sample[]): Promise<void> {
  const rows = samples.map(({ signal, agent, value, observations, usual, deviates }) => ({
    ...{ at, signal, agent, value, observations, deviates },
    mean: usual?.mean ?? null,
    stddev: usual?.stddev ?? null,
  }));
  await db.q.insertInto('slo_sample').values(rows).execute();
}

/** Gives the samples of the newest round, whichever replica made it; none where that is over a quarter of an hour ago. */
export async function newestSamples(db: Database): Promise<Sample[]> {
  const { rows } = await sql<Omit<Sample, 'usual'> & { mean: number | null; stddev: number | null }>`
    select signal, agent, value, observations, mean, stddev, deviates from slo_sample
    where at = (select max(at) from slo_sample where at > now() - ${RECENT})`.execute(db.q);
  return rows.map(({ mean, stddev, ...row }) => ({
    ...row,
    usual: mean === null || stddev === null ? null : { mean, stddev },
  }));
}

/** Gives the subjects of which an alert fires. */
export async function raisedNow(db: Database): Promise<Subject[]> {
  const rows = await db.q
    .selectFrom('alert')
    .select('labels')
    .where('source', '=', ABOUT_ITSELF)
    .where('status', '=', 'firing')
    .execute();
  return rows.flatMap(({ labels }) => {
    const parsed = subjectSchema.safeParse(labels);
    return parsed.success ? [parsed.data] : [];
  });
}
