import type { Alert } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import type { Check } from '../incident/index.ts';
import type { Catalogue } from '../mcp-tools/index.ts';
import { bindChecks, matchingRunbooks, type Runbook } from '../rag/index.ts';

/** Gives the checks that decide for these alerts, bound anew: an alert may have joined since the plan was made. */
export async function currentChecks(db: Database, alerts: readonly Alert[], catalogue: Catalogue): Promise<Check[]> {
  const labelSets = alerts.map((alert) => alert.labels);
  return bindFirstChecks(await matchingRunbooks(db, labelSets), alerts, catalogue).checks;
}

/** Binds the checks of the first matching runbook that declares any; notes say which of any runbook cannot be used, and why. */
export function bindFirstChecks(
  runbooks: readonly Runbook[],
  alerts: readonly Alert[],
  catalogue: Catalogue,
): { checks: Check[]; notes: string[] } {
  const bound = runbooks.map((runbook) => ({ path: runbook.path, ...bindChecks(runbook, alerts, catalogue) }));
  const first = bound.find(({ checks }) => checks.length > 0);
  const notes = bound.flatMap(({ path, problems }) => problems.map((problem) => `${path} (verify): ${problem}`));
  return { checks: (first?.checks ?? []).map(({ call: _call, ...check }) => check), notes };
}

/** Writes a check the way the timeline shows it. */
export function showCheck({ tool, arguments: args, expect, withinSeconds }: Check): string {
  return `${tool} ${JSON.stringify(args)} must show ${expect} within ${withinSeconds} s`;
}
