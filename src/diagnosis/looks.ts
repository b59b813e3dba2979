import type { Alert, Labels } from '../alert/index.ts';
import type { Call, Catalogue } from '../mcp-tools/index.ts';
import { bindChecks, fillTemplates, type Runbook } from '../rag/index.ts';
import { nameOf } from './make-look.ts';
import type { LOOK_KINDS, Specialist, SpecialistLook } from './specialists.ts';

/** How many looks are made at once for one incident, before a model asks for any. */
export const LOOKS_MAX = 12;
const ALERTS_LOOKED_AT_MAX = 5;

/** A look that is made whether or not a model asks for it. */
export interface PlannedLook {
  readonly kind: (typeof LOOK_KINDS)[number] | 'check';
  readonly call: Call;
}

/**
 * Chooses the looks that are made at once: what these runbooks check, then what the specialist looks at first, for the first five
 * alerts; at most 12, equal ones once. Gives how many were left out as well.
 */
export function looksWorthMaking(
  runbooks: readonly Runbook[],
  catalogue: Catalogue,
  { alerts, specialist }: { alerts: readonly Alert[]; specialist: Specialist },
): { looks: PlannedLook[]; leftOut: readonly string[] } {
  const looked = alerts.slice(0, ALERTS_LOOKED_AT_MAX);
  const found = new Map<string, PlannedLook>();
  const add = (look: PlannedLook) => {
    const name = nameOf(look.call);
    if (!found.has(name)) found.set(name, look);
  };
  for (const runbook of runbooks) {
    for (const { call } of bindChecks(runbook, looked, catalogue).checks) add({ kind: 'check', call });
  }
  for (const { labels } of looked) {
    for (const look of specialist.looks) {
      const call = bindLook(look, labels, catalogue);
      if (call) add({ kind: look.kind, call });
    }
  }
  const all = [...found.values()];
  return { looks: all.slice(0, LOOKS_MAX), leftOut: all.slice(LOOKS_MAX).map(({ call }) => nameOf(call)) };
}

/** Binds one look of a specialist to an alert; gives null where no argument set can be filled, no instance is for it, or it would not only read. */
export function bindLook({ tool, with: sets }: SpecialistLook, labels: Labels, catalogue: Catalogue): Call | null {
  for (const set of sets) {
    const filled = fillTemplates(set, labels);
    if (!filled.ok) continue;
    const resolution = catalogue.resolve(tool, filled.values, labels);
    return resolution.ok && resolution.call.risk === 'read' ? resolution.call : null;
  }
  return null;
}
