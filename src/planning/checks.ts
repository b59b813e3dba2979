import { type Alert, titleOf } from '../alert/index.ts';
import { type Check, plain } from '../incident/index.ts';
import type { Catalogue } from '../mcp-tools/index.ts';
import { alertsFor, bindChecks, type Runbook } from '../rag/index.ts';

/** What must hold before an incident with these alerts may close by itself. */
export interface DecidingChecks {
  readonly checks: readonly Check[];
  /** Checks that a runbook declares but that cannot be made for these alerts; they count as failing. */
  readonly unbound: readonly string[];
  /** Alerts for which no runbook declares a check. */
  readonly unchecked: readonly string[];
}

/** Binds, for each alert, the checks of the first runbook (in the order given) that is for it and declares any. */
export function decidingChecks(
  runbooks: readonly Runbook[],
  alerts: readonly Alert[],
  catalogue: Catalogue,
): DecidingChecks {
  const checks = new Map<string, Check>();
  const unbound = new Set<string>();
  const unchecked: string[] = [];
  for (const alert of alerts) {
    const runbook = runbooks.find((one) => one.verify.length > 0 && alertsFor(one, [alert]).length > 0);
    if (!runbook) {
      unchecked.push(plain(titleOf(alert)));
      continue;
    }
    const bound = bindChecks(runbook, [alert], catalogue);
    for (const { call: _call, ...check } of bound.checks) checks.set(JSON.stringify(check), check);
    for (const problem of bound.problems) unbound.add(`${runbook.path} (verify): ${problem}`);
  }
  return { checks: [...checks.values()], unbound: [...unbound], unchecked };
}

/** Writes a check the way the timeline shows it. */
export function showCheck({ tool, arguments: args, expect, withinSeconds }: Check): string {
  return `${tool} ${JSON.stringify(args)} must show ${expect} within ${withinSeconds} s`;
}
