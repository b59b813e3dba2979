import { type RawBuilder, sql } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import { z } from 'zod';
import type { Labels } from '../alert/index.ts';
import { type Database, json } from '../database/index.ts';
import type { Question, Run, RunEffect } from '../policy/index.ts';

/** The longest that a limit may look back. */
const DAYS = 7;
/** No limit and no record counts further. */
export const COUNTED_MAX = 1000;

const populationSchema = z.object({ group: z.string(), affects: z.number() }).nullable();

/** What is counted about one call, for the alerts that it is for. */
interface Counted {
  readonly call: Pick<Question['call'], 'tool' | 'instance' | 'target'>;
  readonly labelSets: readonly Labels[];
  readonly population: Pick<NonNullable<Question['population']>, 'group'> | null;
  /** The run that it takes back is left out: both together are one change. */
  readonly undoOf: string | null;
}

/** What was done so far, as it stands at one moment. */
export interface Counts {
  readonly at: Date;
  /**
   * What was sent in the last seven days, whatever came of it, as far as a limit may have to count it, the newest first: of all runs, and of
   * those with the same target, tool, instance, group, service or namespace, the newest 1,000 each.
   */
  readonly recent: Run[];
  /**
   * Gives how the runs of the tool for an alert of this name and service ended, the newest first: at most 1,000. What a person asked for by
   * hand is no part of it, or somebody could make a record; an alert without a name has none.
   */
  readonly recordFor: (labels: Labels) => RunEffect[];
}

/** Counts what was done so far, for what limits and records say about one call. */
export async function countRuns(db: Database, counted: Counted): Promise<Counts> {
  const { call, labelSets } = counted;
  const read = await db.q
    .selectNoFrom([
      sql<Date>`clock_timestamp()`.as('at'),
      jsonArrayFrom(runRows(db)).as('runs'),
      recordsOf(sql`${call.tool}`, labelSets).as('records'),
    ])
    .executeTakeFirstOrThrow();
  return countsOf(db, read, counted);
}

/** Gives the same by what was read beside other things, with `runRows` and `recordsOf`. */
export async function countsOf(
  db: Database,
  { at, runs, records }: { at: Date; runs: readonly RunRow[]; records: readonly RecordOf[] },
  counted: Counted,
): Promise<Counts> {
  // Where all that was sent is fewer, nothing was pushed out; the whole question takes Postgres several times as long.
  const rows = runs.length < COUNTED_MAX ? runs : await runRows(db, alikeTo(counted)).execute();
  const recent = rows
    .filter(({ id }) => id !== counted.undoOf)
    .map((row): Run => {
      const population = populationSchema.parse(row.population);
      return {
        tool: row.tool,
        instance: row.instance,
        target: row.target,
        service: row.service ?? '',
        namespace: row.namespace ?? '',
        group: population?.group ?? null,
        affects: population?.affects ?? 0,
        at: new Date(row.sent_at),
      };
    });
  const recordFor = ({ alertname = '', service = '' }: Labels) =>
    records.find((record) => record.alertname === alertname && record.service === service)?.effects ?? [];
  return { at, recent, recordFor };
}

/** However busy everything else is, what one of these counts is never pushed out by the others. */
function alikeTo({ call: { tool, instance, target }, labelSets, population }: Counted): RawBuilder<unknown>[] {
  const valuesOf = (name: string) => json(labelSets.flatMap((labels) => labels[name] ?? []));
  return [
    sql`true`,
    sql`i.target = ${target}`,
    sql`i.target = ${target} and a.tool = ${tool}`,
    sql`a.tool = ${tool}`,
    sql`a.instance = ${instance}`,
    sql`a.instance = ${instance} and a.inspection -> 'population' ->> 'group' = ${population?.group ?? null}::text`,
    sql`${valuesOf('service')} @> to_jsonb(a.labels ->> 'service')`,
    sql`${valuesOf('namespace')} @> to_jsonb(a.labels ->> 'namespace')`,
  ];
}

/** A run as it is read. Inside JSON, a moment is text. */
export interface RunRow {
  readonly id: string;
  readonly tool: string;
  readonly instance: string;
  readonly target: string;
  readonly population: unknown;
  readonly service: string | null;
  readonly namespace: string | null;
  readonly sent_at: Date | string;
}

/** The query for the newest of each of those runs, of all where none are named, in the order in which they were sent. */
export function runRows(db: Database, those: readonly RawBuilder<unknown>[] = [sql`true`]) {
  const newest = (same: RawBuilder<unknown>) => sql`(
    select i.action_id from intent as i join action as a on a.id = i.action_id
    where i.sent_at > clock_timestamp() - ${DAYS} * interval '1 day' and ${same}
    order by i.sent_at desc limit ${COUNTED_MAX})`;
  return db.q
    .selectFrom('intent as i')
    .innerJoin('action as a', 'a.id', 'i.action_id')
    .select(['a.id', 'a.tool', 'a.instance', 'i.target', 'i.sent_at'])
    .select(sql<unknown>`a.inspection -> 'population'`.as('population'))
    .select(sql<string | null>`a.labels ->> 'service'`.as('service'))
    .select(sql<string | null>`a.labels ->> 'namespace'`.as('namespace'))
    .where('i.action_id', 'in', sql<string>`(${sql.join(those.map(newest), sql` union all `)})`)
    .orderBy('i.sent_at', 'desc');
}

/** How the runs of a tool for one alert name and service ended. */
export interface RecordOf {
  readonly alertname: string;
  readonly service: string;
  readonly effects: RunEffect[];
}

/** A column with the records of a tool for such alerts. */
export function recordsOf(tool: RawBuilder<unknown>, labelSets: readonly Labels[]): RawBuilder<RecordOf[]> {
  const named = labelSets.flatMap(({ alertname, service = '' }) => (alertname ? [{ alertname, service }] : []));
  // By when they ran: one that waited for a person longer than others ran later than it was planned.
  return sql`(select coalesce(jsonb_agg(jsonb_build_object('alertname', alertname, 'service', service, 'effects', (
      select coalesce(jsonb_agg(effect), '[]') from (
        select ran.effect from action as ran join intent as sent on sent.action_id = ran.id
        where ran.tool = ${tool} and ran.effect is not null and ran.requested_by is null and ran.undo_of is null
          and ran.labels ->> 'alertname' = of.alertname and coalesce(ran.labels ->> 'service', '') = of.service
        order by sent.sent_at desc, ran.id limit ${COUNTED_MAX}) as newest))), '[]')
    from (select distinct * from jsonb_to_recordset(${json(named)}) as named(alertname text, service text)) as of)`;
}
