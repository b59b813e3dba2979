import { sql } from 'kysely';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { plain } from '../incident/index.ts';
import type { Policy, PolicyLimit } from '../policy/index.ts';

/** The longest that a limit may look back, in days. */
const DAYS = 7;
/** More of the last days are not looked at; such an installation has other worries. */
const RUNS_MAX = 20_000;
const SHOWN_MAX = 200;

/** How much of a limit on runs is used up for one thing that it counts together. */
export interface ActionBudget {
  /** The limit's name and what is counted, for example `limit-day: target shop:process search`. */
  readonly scope: string;
  readonly limit: number;
  readonly used: number;
  readonly windowSeconds: number;
}

interface Run {
  readonly tool: string;
  readonly instance: string;
  readonly target: string;
  readonly service: string | null;
  readonly namespace: string | null;
  /** How long ago it was sent, in seconds. */
  readonly age: number;
}

type Counting = Pick<PolicyLimit, 'name' | 'per' | 'withinSeconds'> & { readonly runs: number };

/**
 * Says how much of each limit on runs is used up now: one line for each target, service or whatever else it counts that anything was sent to within its
 * time, the fullest first and at most 200. Limits on shares of a group are no part of it: they depend on the group that a call finds.
 */
export async function actionBudgets(
  db: Database,
  { policy, limits }: { policy: Pick<Policy, 'limits'>; limits: Config['limits'] },
): Promise<ActionBudget[]> {
  const { rows } = await sql<Run>`
    select a.tool, a.instance, i.target, a.labels ->> 'service' as service, a.labels ->> 'namespace' as namespace,
      extract(epoch from clock_timestamp() - i.sent_at)::float8 as age
    from intent i join action a on a.id = i.action_id
    where i.sent_at > clock_timestamp() - ${DAYS} * interval '1 day' order by i.sent_at desc limit ${RUNS_MAX}`.execute(
    db.q,
  );
  const built: Counting[] = [
    { name: 'limit-ten-minutes', per: 'target', withinSeconds: 600, runs: limits.perTargetTenMinutes },
    { name: 'limit-day', per: 'target', withinSeconds: 86_400, runs: limits.perTargetDay },
    { name: 'limit-namespace-hour', per: 'namespace', withinSeconds: 3600, runs: limits.perNamespaceHour },
  ];
  const declared = policy.limits.flatMap(({ name, per, withinSeconds, runs }) =>
    runs === null ? [] : [{ name, per, withinSeconds, runs }],
  );
  return [...built, ...declared]
    .flatMap((limit) => usedOf(limit, rows))
    .sort((a, b) => b.used / b.limit - a.used / a.limit || (a.scope < b.scope ? -1 : 1))
    .slice(0, SHOWN_MAX);
}

function usedOf({ name, per, withinSeconds, runs }: Counting, all: readonly Run[]): ActionBudget[] {
  const young = all.filter(({ age }) => age < withinSeconds);
  const groups = Map.groupBy(young, (run) => (per === 'all' ? '' : (run[per] ?? '')));
  return [...groups].flatMap(([key, { length }]) => {
    // A limit on a label says nothing about alerts that have none.
    if (key === '' && per !== 'all') return [];
    const scope = `${name}: ${per === 'all' ? 'all runs' : `${per} ${plain(key)}`}`;
    return [{ scope, limit: runs, used: length, windowSeconds: withinSeconds }];
  });
}
