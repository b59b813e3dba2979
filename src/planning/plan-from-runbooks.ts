import type { Alert } from '../alert/index.ts';
import type { Catalogue } from '../mcp-tools/index.ts';
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

/**
 * Gives the first remedy that the matching runbooks declare and that was not tried; an alert that joined later may leave a part of one to do.
 * One that cannot be bound in full is not begun, because half of a remedy may be worse than none.
 */
export function planFromRunbooks(
  runbooks: readonly Runbook[],
  firing: readonly Alert[],
  { catalogue, spent }: { catalogue: Catalogue; spent: ReadonlyMap<string, ActionStatus> },
): Draft {
  const notes: string[] = [];
  for (const runbook of runbooks) {
    const origin = `runbook:${runbook.path}`;
    for (const { name, steps, problems } of bindRemedies(runbook, firing, catalogue)) {
      notes.push(...problems.map((problem) => `${runbook.path} (${name}): ${problem}`));
      const left = steps.filter(({ fingerprint }) => !spent.has(fingerprint));
      // What follows a step that failed was meant to follow its success.
      const failed = steps.some(({ fingerprint }) => FAILED.has(spent.get(fingerprint) ?? 'proposed'));
      if (failed || problems.length > 0 || left.length === 0) continue;
      const expectedEffect = 'the checks of the runbook pass';
      return { origin, notes, actions: left.map((step) => ({ ...step, origin, expectedEffect })) };
    }
  }
  return { origin: 'runbooks', actions: [], notes };
}
