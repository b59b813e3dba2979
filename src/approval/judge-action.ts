import { sql } from 'kysely';
import type { Alert } from '../alert/index.ts';
import type { AutonomyMode, Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Call, Catalogue } from '../mcp-tools/index.ts';
import type { Action } from '../planning/index.ts';
import { judge, modeFor, type Policy, type PolicyRule, strictest, type Verdict } from '../policy/index.ts';
import { bindRemedies, matchingRunbooks } from '../rag/index.ts';

export interface JudgeDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'mode' | 'limits' | 'approval'>;
  readonly autonomy: readonly { readonly matchers: PolicyRule['matchers']; readonly mode: AutonomyMode }[];
  readonly policy: Policy;
  readonly catalogue: Catalogue;
}

export type Judged = { readonly call: Call; readonly verdict: Verdict; readonly obsolete: false } | Denied;

interface Denied {
  readonly call: null;
  readonly verdict: Verdict;
  readonly obsolete: boolean;
}

/**
 * Judges a planned action as things stand now: its call is bound anew (tool, instance, arguments, risk), the runbooks are read
 * anew, and runs are counted from our own intents. It is judged for every firing alert that it is for, and the most restrictive
 * verdict holds. An action whose tool or target changed since it was planned is denied; one whose alerts all resolved is obsolete.
 */
export async function judgeAction(
  action: Action,
  alerts: readonly Alert[],
  dependencies: JudgeDependencies,
): Promise<Judged> {
  const { db, config, autonomy, policy, catalogue } = dependencies;
  const firing = alerts.filter((alert) => alert.status === 'firing');
  const declared = await declarationOf(db, action, firing, catalogue);
  if (action.origin.startsWith('runbook:') && declared.by.length === 0) {
    return {
      ...denied('alert-resolved', 'the alert that this is for has resolved, or its runbook no longer says so'),
      obsolete: true,
    };
  }
  // What no runbook declares is for the whole incident.
  const concerned = declared.by.length > 0 ? declared.by : firing;
  const verdicts: Verdict[] = [];
  let call: Call | null = null;
  for (const { labels } of concerned) {
    const resolution = catalogue.resolve(action.tool, action.arguments, labels);
    if (!resolution.ok) return denied(resolution.why.replaceAll('_', '-'), resolution.message);
    call = resolution.call;
    if (call.instance !== action.instance || call.target !== action.target)
      return denied('target-changed', `${action.tool} would now work on ${call.target}, not on ${action.target}`);
    if (call.definitionSha256 !== action.definitionSha256)
      return denied('tool-changed', `${action.tool} is not declared as it was when this was planned`);
    const runs = await countRuns(db, call.target);
    const mode = modeFor(labels, config.mode, autonomy);
    verdicts.push(
      judge({ call, labels, mode, declaredByRunbook: declared.whole, runs, limits: config.limits }, policy.rules),
    );
  }
  if (!call) return { ...denied('alert-resolved', 'no alert that this is for is firing'), obsolete: true };
  return { call, verdict: strictest(verdicts), obsolete: false };
}

function denied(rule: string, why: string): Denied {
  return {
    call: null,
    obsolete: false,
    verdict: { decision: 'deny', approvals: 0, spoke: [{ rule, decision: 'deny', why }] },
  };
}

/** Which firing alerts bind exactly this call, and whether it belongs to a remedy that can be begun as a whole. */
async function declarationOf(
  db: Database,
  action: Action,
  firing: readonly Alert[],
  catalogue: Catalogue,
): Promise<{ by: Alert[]; whole: boolean }> {
  const labelSets = firing.map((alert) => alert.labels);
  const runbooks = await matchingRunbooks(db, labelSets);
  const binds = (alerts: readonly Alert[], usable: boolean) =>
    runbooks.some((runbook) =>
      bindRemedies(runbook, alerts, catalogue).some(
        ({ steps, problems }) =>
          (!usable || problems.length === 0) && steps.some(({ fingerprint }) => fingerprint === action.fingerprint),
      ),
    );
  return { by: firing.filter((alert) => binds([alert], false)), whole: binds(firing, true) };
}

/** Counts what was sent to a target, whatever came of it, in the last ten minutes and the last day. */
export async function countRuns(db: Database, target: string): Promise<{ tenMinutes: number; day: number }> {
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
