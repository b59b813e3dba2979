/** Why an action is before the gate at all: the runbooks that tell it, or the tool that declares how it takes another one back. */
import type { Alert } from '../alert/index.ts';
import type { Identity } from '../identity/index.ts';
import type { StoredAlert } from '../incident/index.ts';
import { type Catalogue, resolveInverse } from '../mcp-tools/index.ts';
import { type Action, doneOf } from '../planning/index.ts';
import type { Question } from '../policy/index.ts';
import {
  bindRemedies,
  callFingerprint,
  contradictionsOf,
  describeContradictions,
  describeFlags,
  type PinOf,
} from '../rag/index.ts';
import type { Standing } from './standing.ts';

interface DeclarationDependencies extends Pick<Standing, 'actions' | 'runbooks'> {
  readonly catalogue: Catalogue;
  readonly pinOf: PinOf;
  readonly identity: Pick<Identity, 'personByEmail'>;
}

/** Who told that exactly this call should be made, and what speaks against them. */
export interface Declaration {
  /** The firing alerts that bind exactly this call. */
  readonly by: readonly StoredAlert[];
  readonly origin: Question['origin'];
  /** Who changed the runbooks last that declare it, as far as they are known by name. */
  readonly editors: readonly string[];
  /** What other runbooks, for the same alerts, tell to do instead. */
  readonly contradictions: readonly string[];
  /** Which of the runbooks that declare it talk to a machine, and where. */
  readonly flagged: readonly string[];
}

/**
 * Tells whether this is exactly the call that its tool declares for taking that action back, and for which firing alert. The operator vouches
 * for it with the tool's declaration; null where it is another call.
 */
export function undoDeclarationOf(
  action: Action,
  firing: readonly StoredAlert[],
  { actions, catalogue }: Pick<DeclarationDependencies, 'actions' | 'catalogue'>,
): Declaration | null {
  const done = actions.find(({ id }) => id === action.undoOf);
  const inverse = done?.status === 'succeeded' ? resolveInverse(catalogue, doneOf(done)) : null;
  if (!inverse?.ok || callFingerprint(inverse.call) !== action.fingerprint) return null;
  const labels = JSON.stringify(Object.entries(action.labels).sort());
  const by = firing.filter((alert) => JSON.stringify(Object.entries(alert.labels).sort()) === labels);
  return { by, origin: 'pinned', editors: [], contradictions: [], flagged: [] };
}

/** Tells which firing alerts bind exactly this call by the runbooks that match them, whether it belongs to a remedy that can be begun as a whole, and who vouches for that. */
export async function declarationOf(
  action: Pick<Action, 'fingerprint' | 'origin'>,
  firing: readonly StoredAlert[],
  { runbooks, catalogue, pinOf, identity }: Omit<DeclarationDependencies, 'actions'>,
): Promise<Declaration> {
  // Its conditions were looked at where it was planned from this runbook, and a person has chosen; a model has not asked.
  const isMeant = ({ path }: { path: string }) =>
    action.origin === `runbook:${path}` || action.origin.startsWith('person:');
  const declaring = (alerts: readonly Alert[], usable: boolean) =>
    runbooks.filter((runbook) =>
      bindRemedies(runbook, alerts, catalogue).some(
        ({ when, steps, problems }) =>
          (!usable || (problems.length === 0 && (when.length === 0 || isMeant(runbook)))) &&
          steps.some(({ fingerprint }) => fingerprint === action.fingerprint),
      ),
    );
  const by = firing.filter((alert) => declaring([alert], false).length > 0);
  const whole = declaring(firing, true);
  const pins = await Promise.all(whole.map((runbook) => pinOf(runbook)));
  const editors = pins.flatMap(({ editorEmails }) => editorEmails.map((email) => identity.personByEmail(email)));
  const origin = whole.length === 0 ? 'undeclared' : pins.some(({ pinned }) => pinned) ? 'pinned' : 'unpinned';
  const contradicted = contradictionsOf(runbooks, by);
  const own = new Set(declaring(by, false).map(({ path }) => path));
  // Only where the runbooks that say this are among them; others may disagree about something else.
  const contradictions = [...own].some((path) => contradicted.has(path)) ? describeContradictions(contradicted) : [];
  const flagged = declaring(by, false)
    .filter(({ flags }) => flags.length > 0)
    .map(({ path, flags }) => `${path} holds instruction-like text (${describeFlags(flags)})`);
  return { by, origin, editors: editors.filter((name) => name !== null), contradictions, flagged };
}
