import { sql } from 'kysely';
import type { Alert } from '../alert/index.ts';
import type { AutonomyMode, Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Call, Catalogue } from '../mcp-tools/index.ts';
import type { Action } from '../planning/index.ts';
import { judge, modeFor, type Policy, type PolicyRule, type Verdict } from '../policy/index.ts';
import { bindRemedies, matchingRunbooks } from '../rag/index.ts';

export interface JudgeDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'mode' | 'limits' | 'approval'>;
  readonly autonomy: readonly { readonly matchers: PolicyRule['matchers']; readonly mode: AutonomyMode }[];
  readonly policy: Policy;
  readonly catalogue: Catalogue;
}

export type Judged =
  | { readonly call: Call; readonly verdict: Verdict }
  | { readonly call: null; readonly verdict: Verdict };

/**
 * Judges a planned action as things stand now: its call is bound anew (tool, instance, arguments, risk), the runbooks are read
 * anew, and runs are counted from our own intents. An action whose tool or target changed since it was planned is denied.
 */
export async function judgeAction(
  action: Action,
  alerts: readonly Alert[],
  { db, config, autonomy, policy, catalogue }: JudgeDependencies,
): Promise<Judged> {
  const resolution = catalogue.resolve(action.tool, action.arguments, action.labels);
  if (!resolution.ok) return denied(resolution.why.replaceAll('_', '-'), resolution.message);
  const { call } = resolution;
  if (call.instance !== action.instance || call.target !== action.target)
    return denied('target-changed', `${action.tool} would now work on ${call.target}, not on ${action.target}`);
  if (call.definitionSha256 !== action.definitionSha256)
    return denied('tool-changed', `${action.tool} is not declared as it was when this was planned`);
  const firing = alerts.filter((alert) => alert.status === 'firing');
  const verdict = judge(
    {
      call,
      labels: action.labels,
      mode: modeFor(action.labels, config.mode, autonomy),
      declaredByRunbook: await isDeclared(db, action, firing, catalogue),
      runs: await countRuns(db, call.target),
      limits: config.limits,
    },
    policy.rules,
  );
  return { call, verdict };
}

function denied(rule: string, why: string): Judged {
  return { call: null, verdict: { decision: 'deny', approvals: 0, spoke: [{ rule, decision: 'deny', why }] } };
}

async function isDeclared(
  db: Database,
  action: Action,
  firing: readonly Alert[],
  catalogue: Catalogue,
): Promise<boolean> {
  const runbooks = await matchingRunbooks(
    db,
    firing.map((alert) => alert.labels),
  );
  const steps = runbooks.flatMap((runbook) =>
    bindRemedies(runbook, firing, catalogue).flatMap((remedy) => remedy.steps),
  );
  return steps.some(({ fingerprint }) => fingerprint === action.fingerprint);
}

/** Counts what was sent to a target, whatever came of it, in the last ten minutes and the last day. */
async function countRuns(db: Database, target: string): Promise<{ tenMinutes: number; day: number }> {
  const row = await db.q
    .selectFrom('intent')
    .select([
      sql<number>`count(*) filter (where sent_at > clock_timestamp() - interval '10 minutes')`.as('ten'),
      sql<number>`count(*)`.as('day'),
    ])
    .where('target', '=', target)
    .where('sent_at', '>', sql<Date>`clock_timestamp() - interval '1 day'`)
    .executeTakeFirstOrThrow();
  return { tenMinutes: Number(row.ten), day: Number(row.day) };
}
