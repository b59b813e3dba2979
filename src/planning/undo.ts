import type { Check } from '../incident/index.ts';
import type { Catalogue } from '../mcp-tools/index.ts';
import { resolveInverse, resolveToolCheck } from '../mcp-tools/index.ts';
import { callFingerprint } from '../rag/index.ts';
import type { Action, DraftAction } from './action.ts';

/** What takes a remedy back, as far as its tools declare that. */
export interface Undo {
  /** In the reverse of the order in which things were done. */
  readonly drafts: readonly DraftAction[];
  /** What cannot be taken back although its tool declares how, and why. */
  readonly problems: readonly string[];
}

/** Gives the calls that take back those actions of an attempt that succeeded, the last one first; a read of the world before each is in its record. */
export function undoOf(attempt: readonly Action[], because: 'unchanged' | 'worse', catalogue: Catalogue): Undo {
  const drafts: DraftAction[] = [];
  const problems: string[] = [];
  for (const action of attempt.filter(isDone).toReversed()) {
    const resolution = resolveInverse(catalogue, doneOf(action));
    if (resolution === null) continue;
    if (!resolution.ok) {
      problems.push(`${action.tool} on ${action.target} cannot be taken back: ${resolution.message}`);
      continue;
    }
    const { call } = resolution;
    drafts.push({
      call,
      labels: action.labels,
      fingerprint: callFingerprint(call),
      origin: `undo:${action.id}`,
      reason: `${action.tool} on ${action.target} ${because === 'worse' ? 'made it worse' : 'did not help'}, so it is taken back.`,
      expectedEffect: 'it is as it was before',
      undo: call.undo,
      undoOf: action.id,
    });
  }
  return { drafts, problems };
}

/** Gives the checks that the tools of an attempt declare themselves: whether each action that succeeded did what it should. */
export function toolChecksOf(attempt: readonly Action[], catalogue: Catalogue): Check[] {
  return attempt.filter(isDone).flatMap((action): Check[] => {
    const check = resolveToolCheck(catalogue, doneOf(action));
    if (!check?.resolution.ok || check.resolution.call.risk !== 'read') return [];
    const { instance, tool, arguments: args } = check.resolution.call;
    return [{ instance, tool, arguments: args, expect: check.expect, withinSeconds: check.withinSeconds }];
  });
}

function isDone({ status, undoOf }: Action): boolean {
  return status === 'succeeded' && undoOf === null;
}

/** Gives a finished action in the form that its tool's declaration is filled from. */
export function doneOf({ tool, arguments: args, labels, inspection, result }: Action) {
  const given = result !== null && typeof result === 'object' && 'result' in result ? result.result : null;
  return { tool, arguments: args, labels, before: inspection?.before ?? null, result: given };
}
