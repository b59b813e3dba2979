import { createHash } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { stepsSaid } from './contradictions.ts';
import type { Runbook } from './runbook.ts';

/** What came of a remedy that ran, as the checks saw it; of `unknown` nobody can say. */
export type RemedyResult = 'healed' | 'unchanged' | 'worse' | 'failed' | 'unknown';

/** One remedy that ran for one alert: an attempt, however many steps it had. */
export interface RemedyOutcome {
  readonly attempt: number;
  readonly alertname: string;
  readonly service: string;
  /** The path of the runbook that told it; null where a model did. */
  readonly runbook: string | null;
  /** The last of its steps that ran, and on what. */
  readonly tool: string;
  readonly target: string;
  readonly outcome: RemedyResult;
  readonly at: Date;
}

/** How often a remedy helped with an alert of late. */
export interface RemedyRecord {
  /** In how many incidents of the last 120 days it ran and somebody could say what came of it. */
  readonly tried: number;
  readonly healed: number;
  /** The share that it healed, 0 to 1, each counting half after 30 days; 0.5 where nothing is known. */
  readonly rate: number;
  /** Whether it fails too often to be tried first. */
  readonly failing: boolean;
  readonly last: Date;
}

/** A runbook that keeps failing for an alert. */
export interface FailingRunbook extends RemedyRecord {
  readonly path: string;
  readonly alertname: string;
}

const HALF_LIFE_DAYS = 30;
/** After four half-lives a run counts a sixteenth, and is left out. */
const DAYS_MAX = 120;
/** As many runs as need to be known before a record says that something fails, decayed: three of the last days. */
const TRIES_MIN = 2.9;
const RATE_MIN = 0.25;
/** By how much a record moves a runbook's relevance at most, as a share of it. */
const INFLUENCE = 0.2;

/** Names what a runbook tells to do; whoever changes its steps begins a new record, and whoever changes its words does not. */
export function stepsHash(runbook: Pick<Runbook, 'remedies'>): string | null {
  return runbook.remedies.length === 0 ? null : createHash('sha256').update(stepsSaid(runbook)).digest('hex');
}

/** Keeps what came of the remedies of one cycle of an incident, in place of what was kept of them before. */
export async function keepOutcomes(
  db: Database,
  { incidentId, cycle }: { incidentId: number; cycle: number },
  outcomes: readonly RemedyOutcome[],
): Promise<void> {
  if (outcomes.length === 0) return;
  await db.q
    .insertInto('remedy_outcome')
    .values(
      outcomes.map((outcome) => ({
        ...outcome,
        incident_id: incidentId,
        cycle,
        steps_sha256: sql<string | null>`(select steps_sha256 from runbook where path = ${outcome.runbook}::text)`,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['incident_id', 'cycle', 'attempt', 'alertname']).doUpdateSet(({ ref }) => ({
        service: ref('excluded.service'),
        runbook: ref('excluded.runbook'),
        steps_sha256: ref('excluded.steps_sha256'),
        tool: ref('excluded.tool'),
        target: ref('excluded.target'),
        outcome: ref('excluded.outcome'),
        at: ref('excluded.at'),
      })),
    )
    .execute();
}

/** Takes back that anything healed in that cycle of an incident, because people say that it did not help. */
export async function withdrawCredit(
  db: Database,
  { incidentId, cycle }: { incidentId: number; cycle: number },
): Promise<void> {
  await db.q
    .updateTable('remedy_outcome')
    .set({ outcome: 'unchanged' })
    .where('incident_id', '=', incidentId)
    .where('cycle', '=', cycle)
    .where('outcome', '=', 'healed')
    .execute();
}

/** A row of a record as the database gives it, every column null where there is none. */
export interface RecordRow {
  tried: number | null;
  healed: number | null;
  rate: number | null;
  tries: number | null;
  last: Date | null;
}

/**
 * A query for the record of what `which` lets through of `remedy_outcome as o`: one row, with `tried` 0 where there is nothing. What
 * a runbook tells to try in turn counts as one try in each incident, which healed when one of its remedies did.
 */
export function recordQuery(which: RawBuilder<unknown>): RawBuilder<RecordRow> {
  const weight = sql`0.5 ^ (greatest(0, extract(epoch from clock_timestamp() - at)) / (86400 * ${HALF_LIFE_DAYS}))::double precision`;
  return sql<RecordRow>`
    select count(*)::integer as tried, (count(*) filter (where helped))::integer as healed,
      coalesce(sum(${weight}), 0)::double precision as tries,
      ((coalesce(sum(${weight}) filter (where helped), 0) + 1) / (coalesce(sum(${weight}), 0) + 2))::double precision as rate,
      max(at) as last
    from (
      select bool_or(o.outcome = 'healed') as helped, max(o.at) as at from remedy_outcome as o
      where o.outcome <> 'unknown' and o.at > clock_timestamp() - ${DAYS_MAX} * interval '1 day' and ${which}
      group by o.incident_id, o.cycle
    ) as runs`;
}

/** What a record does to a runbook's relevance: 0.8 where it never helps, 1 where nothing is known, 1.2 where it always does. */
export function influenceOf(rate: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`(1 + ${2 * INFLUENCE}::double precision * (${rate} - 0.5))`;
}

/** Reads a record from its row; null where nothing ran. */
export function toRecord({ tried, healed, rate, tries, last }: RecordRow): RemedyRecord | null {
  if (tried === null || tried === 0 || healed === null || rate === null || last === null) return null;
  return { tried, healed, rate, failing: (tries ?? 0) >= TRIES_MIN && rate < RATE_MIN, last };
}

/** Gives the records that these runbooks have with alerts of these names, by path, of those that have one. */
export async function recordsOf(
  db: Database,
  paths: readonly string[],
  alertnames: readonly string[],
): Promise<ReadonlyMap<string, RemedyRecord>> {
  const { rows } = await sql<RecordRow & { path: string }>`
    select r.path, record.* from runbook as r cross join lateral (${recordQuery(ofRunbook(alertnames))}) as record
    where r.path in (select jsonb_array_elements_text(${JSON.stringify(paths)}::jsonb))`.execute(db.q);
  return new Map(
    rows.flatMap(({ path, ...row }) => {
      const record = toRecord(row);
      return record === null ? [] : [[path, record] as const];
    }),
  );
}

/** The condition that an outcome is of runbook `r` as it is now, with alerts of these names. */
export function ofRunbook(alertnames: readonly string[]): RawBuilder<boolean> {
  return sql<boolean>`o.runbook = r.path and o.steps_sha256 = r.steps_sha256
    and o.alertname in (select jsonb_array_elements_text(${JSON.stringify(alertnames)}::jsonb))`;
}

/** Lists the runbooks that keep failing, with the alert for which they do, the worst first. */
export async function failingRunbooks(db: Database): Promise<FailingRunbook[]> {
  const { rows } = await sql<RecordRow & { path: string; alertname: string }>`
    select r.path, pair.alertname, record.* from runbook as r
    join (select distinct runbook, alertname from remedy_outcome
      where runbook is not null and outcome <> 'unknown' and at > clock_timestamp() - ${DAYS_MAX} * interval '1 day') as pair on pair.runbook = r.path
    cross join lateral (${recordQuery(sql`o.runbook = r.path and o.steps_sha256 = r.steps_sha256 and o.alertname = pair.alertname`)}) as record
    order by record.rate, r.path, pair.alertname`.execute(db.q);
  return rows.flatMap(({ path, alertname, ...row }) => {
    const record = toRecord(row);
    return record?.failing ? [{ path, alertname, ...record }] : [];
  });
}

/** Says what a record shows, for people. */
export function describeRecord({ tried, healed, last }: RemedyRecord, alertname: string): string {
  const day = `last on ${last.toISOString().slice(0, 10)}`;
  const times = `of ${tried} time${tried === 1 ? '' : 's'} for ${alertname}, ${day}`;
  return 2 * healed >= tried ? `healed ${healed} ${times}` : `failed ${tried - healed} ${times}`;
}
