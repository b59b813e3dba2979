import type { Action } from '../planning/index.ts';
import type { RemedyOutcome, RemedyResult } from '../rag/index.ts';

/** An action with one of these statuses did something, or may have. */
export const RAN: ReadonlySet<Action['status']> = new Set(['succeeded', 'failed', 'unknown']);

/**
 * Gives what came of each remedy of an incident's cycle. The steps of one attempt are one remedy: they were meant to help together, so
 * what the checks saw after the last is what came of it, and no step of it counts by itself. What a person asked for by hand is
 * no part of it, or somebody could make a record; nor is an alert without a name.
 */
export function outcomesOf(actions: readonly Action[]): RemedyOutcome[] {
  const sent = Map.groupBy(
    actions.filter(({ sentAt }) => sentAt !== null),
    ({ attempt }) => attempt,
  );
  const planned = Map.groupBy(
    actions.filter(({ requestedBy, undoOf }) => requestedBy === null && undoOf === null),
    ({ attempt }) => attempt,
  );
  return [...sent].flatMap(([attempt, those]) => {
    const at = new Date(Math.max(...those.map(({ sentAt }) => Number(sentAt))));
    const steps = planned.get(attempt) ?? [];
    const ran = steps.filter(({ status }) => RAN.has(status));
    const last = ran.at(-1);
    if (!last) return [];
    const runbook = last.origin.startsWith('runbook:') ? last.origin.slice('runbook:'.length) : null;
    const { tool, target } = last;
    const outcome = resultOf(steps);
    const alerts = new Map(ran.map(({ labels }) => [labels.alertname ?? '', labels]));
    return [...alerts]
      .filter(([alertname]) => alertname !== '')
      .map(([alertname, { service = '' }]) => ({ attempt, alertname, service, runbook, tool, target, outcome, at }));
  });
}

/** Says what came of the steps of one attempt, of which at least one ran. */
export function resultOf(steps: readonly Pick<Action, 'status' | 'effect'>[]): RemedyResult {
  const ran = steps.filter(({ status }) => RAN.has(status));
  const effect = ran.at(-1)?.effect ?? 'unknown';
  if (effect === 'worse') return 'worse';
  if (ran.some(({ status }) => status === 'unknown')) return 'unknown';
  // Where the tool failed and all is well nevertheless, something else mended it.
  if (ran.some(({ status }) => status === 'failed')) return effect === 'healed' ? 'unknown' : 'failed';
  // A remedy of which a person refused a part was not tried.
  return effect === 'unchanged' && ran.length < steps.length ? 'unknown' : effect;
}
