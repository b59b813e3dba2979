import { type RawBuilder, sql } from 'kysely';
import { z } from 'zod';
import { type Database, json } from '../database/index.ts';
import type { Question, Run, RunEffect } from '../policy/index.ts';

/** The longest that a limit may look back. */
const DAYS = 7;
/** No limit and no record counts further. */
export const COUNTED_MAX = 1000;

const populationSchema = z
  .looseObject({ population: z.object({ group: z.string(), affects: z.number() }).nullable() })
  .nullable();

/**
 * Gives what was sent in the last seven days, whatever came of it, as far as a limit may have to count it for these questions, the
 * newest first: of all runs, and of those with the same target, tool, instance, group, service or namespace, the newest 1,000 each.
 * The questions are about one call. The run that it takes back (`undoOf`) is left out: both together are one change.
 */
export async function recentRuns(
  db: Database,
  questions: readonly Pick<Question, 'call' | 'labels' | 'population'>[],
  undoOf: string | null = null,
): Promise<Run[]> {
  const [first] = questions;
  if (!first) return [];
  const { tool, instance, target } = first.call;
  const group = first.population?.group ?? null;
  const valuesOf = (name: string) => json(questions.flatMap(({ labels }) => labels[name] ?? []));
  // However busy everything else is, what one of these counts is never pushed out by the others.
  const alike = [
    sql`true`,
    sql`i.target = ${target}`,
    sql`i.target = ${target} and a.tool = ${tool}`,
    sql`a.tool = ${tool}`,
    sql`a.instance = ${instance}`,
    sql`a.instance = ${instance} and a.inspection -> 'population' ->> 'group' = ${group}::text`,
    sql`${valuesOf('service')} @> to_jsonb(a.labels ->> 'service')`,
    sql`${valuesOf('namespace')} @> to_jsonb(a.labels ->> 'namespace')`,
  ];
  const newest = (same: RawBuilder<unknown>) => sql`(
    select i.action_id from intent as i join action as a on a.id = i.action_id
    where i.sent_at > clock_timestamp() - ${DAYS} * interval '1 day' and ${same}
    order by i.sent_at desc limit ${COUNTED_MAX})`;
  const read = (those: readonly RawBuilder<unknown>[]) =>
    db.q
      .selectFrom('intent as i')
      .innerJoin('action as a', 'a.id', 'i.action_id')
      .select(['a.tool', 'a.instance', 'i.target', 'a.inspection', 'i.sent_at'])
      .select(sql<string | null>`a.labels ->> 'service'`.as('service'))
      .select(sql<string | null>`a.labels ->> 'namespace'`.as('namespace'))
      .where('i.action_id', 'in', sql<string>`(${sql.join(those.map(newest), sql` union all `)})`)
      .where('i.action_id', '<>', undoOf ?? '')
      .orderBy('i.sent_at', 'desc')
      .execute();
  // Where all that was sent is fewer, nothing was pushed out; the whole question takes Postgres several times as long.
  const all = await read([sql`true`]);
  const rows = all.length < COUNTED_MAX - 1 ? all : await read(alike);
  return rows.map((row) => {
    const population = populationSchema.parse(row.inspection)?.population ?? null;
    return {
      tool: row.tool,
      instance: row.instance,
      target: row.target,
      service: row.service ?? '',
      namespace: row.namespace ?? '',
      group: population?.group ?? null,
      affects: population?.affects ?? 0,
      at: row.sent_at,
    };
  });
}

/**
 * Gives how the runs of a tool for an alert of this name and service ended, the newest first: at most 1,000. What a person asked for by
 * hand is no part of it, or somebody could make a record; an alert without a name has none.
 */
export async function recordOf(
  db: Database,
  { tool, alertname, service }: { tool: string; alertname: string; service: string },
): Promise<RunEffect[]> {
  if (alertname === '') return [];
  const rows = await db.q
    .selectFrom('action as a')
    .innerJoin('intent as i', 'i.action_id', 'a.id')
    .select('a.effect')
    .where('a.tool', '=', tool)
    .where('a.effect', 'is not', null)
    .where('a.requested_by', 'is', null)
    .where('a.undo_of', 'is', null)
    .where(sql<string>`a.labels ->> 'alertname'`, '=', alertname)
    .where(sql<string>`coalesce(a.labels ->> 'service', '')`, '=', service)
    // By when they ran: one that waited for a person longer than others ran later than it was planned.
    .orderBy('i.sent_at', 'desc')
    .orderBy('a.id')
    .limit(COUNTED_MAX)
    .execute();
  return rows.map(({ effect }) => effect as RunEffect);
}
