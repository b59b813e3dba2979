import type { Alert, Labels } from '../alert/index.ts';
import { alertsFor, fillTemplates } from './bind.ts';
import type { Runbook } from './runbook.ts';

/** How many runbooks are named beside one, and how many lines tell it: whoever floods the index shall not flood the timeline. */
const NAMED_MAX = 10;
const LINES_MAX = 20;
const NOTHING = JSON.stringify([]);

type Sayer = Pick<Runbook, 'path' | 'match' | 'remedies'>;

/**
 * Gives the runbooks that are for one and the same of these alerts and tell different things to do about it: each path with the paths
 * that it contradicts, the first ten of them. Which of them has more matchers makes no difference, and neither does who wrote it: none of them acts alone.
 */
export function contradictionsOf(
  runbooks: readonly Sayer[],
  alerts: readonly Pick<Alert, 'labels'>[],
): ReadonlyMap<string, readonly string[]> {
  const against = new Map<string, Set<string>>();
  const acting = runbooks.filter(({ remedies }) => remedies.length > 0);
  for (const alert of alerts) {
    const saying = acting
      .filter((runbook) => alertsFor(runbook, [alert]).length > 0)
      .map((runbook) => ({ path: runbook.path, says: stepsSaid(runbook, alert.labels) }))
      .filter(({ says }) => says !== NOTHING);
    if (new Set(saying.map(({ says }) => says)).size < 2) continue;
    saying.sort((a, b) => (a.path < b.path ? -1 : 1));
    // The first of each way to say it are enough: whatever a runbook contradicts, some of these do.
    const first = [...Map.groupBy(saying, ({ says }) => says).values()].slice(0, NAMED_MAX + 1);
    const named = first.flatMap((same) => same.slice(0, NAMED_MAX)).sort((a, b) => (a.path < b.path ? -1 : 1));
    for (const one of saying) {
      const others = named.filter(({ says }) => says !== one.says).slice(0, NAMED_MAX);
      const known = against.get(one.path) ?? new Set();
      for (const other of others) known.add(other.path);
      against.set(one.path, known);
    }
  }
  return new Map([...against].map(([path, others]) => [path, [...others].sort().slice(0, NAMED_MAX)]));
}

/**
 * Writes what a runbook would do, so that two that would do the same are equal: for an alert with these labels, or as it is declared. A
 * remedy whose templates the labels do not fill is never begun, so it says nothing.
 */
export function stepsSaid({ remedies }: Pick<Runbook, 'remedies'>, labels: Labels | null = null): string {
  const said = remedies.map(({ steps }) =>
    steps.map(({ tool, with: args }) => {
      const filled = labels === null ? { ok: true as const, values: args } : fillTemplates(args, labels);
      return filled.ok ? [tool, Object.entries(filled.values).sort(([a], [b]) => (a < b ? -1 : 1))] : null;
    }),
  );
  return JSON.stringify(said.filter((steps) => !steps.includes(null)));
}

/** Says who contradicts whom, one line for each pair, twenty at most. */
export function describeContradictions(contradictions: ReadonlyMap<string, readonly string[]>): string[] {
  const lines = [...contradictions].flatMap(([path, others]) =>
    others
      .filter((other) => path < other)
      .map((other) => `${path} and ${other} are for the same alert and tell different steps, so neither acts unasked`),
  );
  const left = lines.length - LINES_MAX;
  return left > 0 ? [...lines.slice(0, LINES_MAX), `and ${left} more`] : lines;
}
