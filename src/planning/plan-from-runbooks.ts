import type { Alert } from '../alert/index.ts';
import type { Check } from '../incident/index.ts';
import type { Catalogue, CheckResult } from '../mcp-tools/index.ts';
import { bindRemedies, type Runbook } from '../rag/index.ts';
import type { ActionStatus, DraftAction } from './action.ts';

const FAILED: ReadonlySet<ActionStatus> = new Set(['running', 'failed', 'unknown', 'denied']);

/** A remedy that could be next, or why there is none. */
export interface Draft {
  readonly origin: string;
  /** Empty where nothing can or should be done. */
  readonly actions: readonly DraftAction[];
  readonly notes: readonly string[];
}

interface Planning {
  readonly catalogue: Catalogue;
  readonly spent: ReadonlyMap<string, ActionStatus>;
  readonly makeChecks: (checks: readonly Check[]) => Promise<readonly CheckResult[]>;
}

/**
 * Gives the first remedy that the matching runbooks declare, that is meant as things stand, and that was not tried; an alert that joined
 * later may leave a part of one to do.
 * One that cannot be bound in full is not begun, because half of a remedy may be worse than none.
 */
export async function planFromRunbooks(
  runbooks: readonly Runbook[],
  firing: readonly Alert[],
  { catalogue, spent, makeChecks }: Planning,
): Promise<Draft> {
  const notes: string[] = [];
  for (const runbook of runbooks) {
    const origin = `runbook:${runbook.path}`;
    for (const { name, when, steps, problems } of bindRemedies(runbook, firing, catalogue)) {
      notes.push(...problems.map((problem) => `${runbook.path} (${name}): ${problem}`));
      const left = steps.filter(({ fingerprint }) => !spent.has(fingerprint));
      // What follows a step that failed was meant to follow its success.
      const failed = steps.some(({ fingerprint }) => FAILED.has(spent.get(fingerprint) ?? 'proposed'));
      if (failed || problems.length > 0 || left.length === 0) continue;
      const unmet = (await makeChecks(when)).filter(({ passed }) => !passed);
      if (unmet.length > 0) {
        notes.push(
          ...unmet.map(({ check, saw }) => `${runbook.path} (${name}) is not meant here: ${check}, but ${saw}`),
        );
        continue;
      }
      const expectedEffect = 'the checks of the runbook pass';
      return { origin, notes, actions: left.map((step) => ({ ...step, origin, expectedEffect })) };
    }
  }
  return { origin: 'runbooks', actions: [], notes };
}
