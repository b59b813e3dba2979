import { sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../database/index.ts';
import type { Run, RunEffect } from '../policy/index.ts';

/** The longest that a limit may look back. */
const DAYS = 7;
const RUNS_MAX = 5000;
const RECORD_MAX = 1000;

const populationSchema = z
  .looseObject({ population: z.object({ group: z.string(), affects: z.number() }).nullable() })
  .nullable();

/** Gives what was sent in the last seven days, whatever came of it, the newest first: at most 5,000 runs. */
export async function recentRuns(db: Database): Promise<Run[]> {
  const rows = await db.q
    .selectFrom('intent as i')
    .innerJoin('action as a', 'a.id', 'i.action_id')
    .select(['a.tool', 'a.instance', 'i.target', 'a.inspection', 'i.sent_at'])
    .select(sql<string | null>`a.labels ->> 'service'`.as('service'))
    .select(sql<string | null>`a.labels ->> 'namespace'`.as('namespace'))
    .where('i.sent_at', '>', sql<Date>`clock_timestamp() - ${DAYS} * interval '1 day'`)
    .orderBy('i.sent_at', 'desc')
    .limit(RUNS_MAX)
    .execute();
  return rows.map(({ tool, instance, target, inspection, service, namespace, sent_at: at }) => {
    const population = populationSchema.parse(inspection)?.population ?? null;
    return {
      tool,
      instance,
      target,
      service: service ?? '',
      namespace: namespace ?? '',
      group: population?.group ?? null,
      affects: population?.affects ?? 0,
      at,
    };
  });
}

/** Gives how the runs of a tool for an alert of this name and service ended, the newest first: at most 1,000. */
export async function recordOf(
  db: Database,
  { tool, alertname, service }: { tool: string; alertname: string; service: string },
): Promise<RunEffect[]> {
  const rows = await db.q
    .selectFrom('action')
    .select('effect')
    .where('tool', '=', tool)
    .where('effect', 'is not', null)
    .where(sql<string>`labels ->> 'alertname'`, '=', alertname)
    .where(sql<string>`coalesce(labels ->> 'service', '')`, '=', service)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .limit(RECORD_MAX)
    .execute();
  return rows.map(({ effect }) => effect as RunEffect);
}
