import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { evidenceOf } from '../diagnosis/index.ts';
import {
  BY_HAND,
  beginVerification,
  type Check,
  type Context,
  escalate,
  isFiring,
  type NewEvent,
  type Outcome,
  plain,
  type Stage,
  type Work,
} from '../incident/index.ts';
import type { Models } from '../llm/index.ts';
import { type Catalogue, type Look, runChecks } from '../mcp-tools/index.ts';
import type { Policy } from '../policy/index.ts';
import {
  bySpecificity,
  contradictionsOf,
  describeContradictions,
  describeFlags,
  describeRecord,
  type RemedyRecord,
  type Runbook,
  recordsOf,
} from '../rag/index.ts';
import { type Action, actionsAndRunbooks, addActions } from './action.ts';
import { decidingChecks, showCheck } from './checks.ts';
import { type Bounds, showToolCheck } from './offer.ts';
import { type Draft, planFromRunbooks } from './plan-from-runbooks.ts';
import { planWithModel } from './plan-with-model.ts';

export interface PlanDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'limits' | 'services' | 'mode'>;
  readonly autonomy: Bounds['autonomy'];
  readonly policy: Policy;
  readonly catalogue: Catalogue;
  readonly look: Look;
  readonly models: Models;
}

/** An action with one of these statuses was tried or refused, so the same is not planned again in this cycle. */
const SPENT: ReadonlySet<Action['status']> = new Set(['running', 'succeeded', 'failed', 'unknown', 'denied']);

/** Makes the stage that plans the next remedy, never one that already failed on this incident, or hands over to a person. */
export function createPlan(dependencies: PlanDependencies): Stage {
  const { db, config, catalogue, look } = dependencies;
  return async (work) => {
    const { incident, alerts } = work;
    const labelSets = alerts.map((alert) => alert.labels);
    const { actions, runbooks } = await actionsAndRunbooks(db, incident, alerts);
    const { checks, unbound, unchecked } = decidingChecks(runbooks, alerts, catalogue);
    const context: { -readonly [Key in keyof Context]?: Context[Key] } = {
      checks: [...checks],
      undoing: null,
      escalateTo:
        runbooks.find(({ escalateTo }) => escalateTo)?.escalateTo ??
        labelSets.map((labels) => config.services.serviceOf(labels)?.escalateTo).find((to) => to) ??
        null,
    };
    const { attempt, diagnosis, investigatedFor } = incident.context;

    const verify = (events: readonly NewEvent[] = []): Outcome => {
      const verification = beginVerification('alert');
      const both = [...events, ...(verification.events ?? [])];
      return { ...verification, context: { ...context, ...verification.context }, events: both };
    };
    const handOver = (reason: string, events: readonly NewEvent[] = [], why: readonly string[] = []): Outcome => ({
      ...escalate(reason),
      context: { ...context, ...escalate(reason).context },
      events: [...events, { type: 'plan.none', actor: 'nightshift', data: { reason, notes: why } }],
    });

    if (!isFiring(alerts)) return verify();
    if (incident.context.undoing === 'worse') return handOver('the last remedy made it worse, and was not taken back');
    // Labels that a person typed are no alert: nothing but what they asked for runs on their account.
    if (investigatedFor === null && alerts.every(({ source }) => source === BY_HAND))
      return handOver('what was asked for by hand did not run, or did not help');
    // Once only: if they pass now and fail later while the alert fires, it flaps, and waiting for them again heals nothing.
    const worthALook = attempt === 0 && incident.context.verification === null;
    if (worthALook && checks.length > 0 && unbound.length + unchecked.length === 0) {
      const results = await runChecks(checks, alerts, { catalogue, look, abort: work.abort });
      if (results.every(({ passed }) => passed)) {
        const data = { reason: 'the checks of the runbook pass already', checks: results };
        return verify([{ type: 'plan.unneeded', actor: 'nightshift', data }]);
      }
      context.failingBefore = results.filter(({ passed }) => !passed).length;
    }
    if (attempt >= config.limits.attempts) return handOver(`${attempt} remedies were tried and none helped`);
    if (diagnosis?.mode === 'model' && diagnosis.inconclusive) {
      return handOver('the model could not ground a diagnosis in the evidence');
    }

    const tried = actions.filter(({ status, undoOf }) => undoOf === null && SPENT.has(status));
    const names = [...new Set(labelSets.flatMap(({ alertname }) => alertname ?? []))];
    const records = await recordsOf(
      db,
      runbooks.map(({ path }) => path),
      names,
    );
    const { draft, events } = await nextRemedy(work, { runbooks: byRecord(runbooks, records), tried }, dependencies);
    const contradictions = describeContradictions(contradictionsOf(runbooks, alerts));
    const allNotes = [...unbound, ...contradictions, ...warnings(runbooks, records, names), ...draft.notes];
    if (draft.actions.length === 0) return handOver(whyNothing(draft, runbooks, tried), events, allNotes);
    const shown = draft.actions.map(({ call: { tool, instance, arguments: args, target, risk }, ...why }) => {
      const { reason, expectedEffect, undo } = why;
      const check = showToolCheck(catalogue.toolNamed(tool));
      return { tool, instance, arguments: args, target, risk, reason, expectedEffect, check, undo };
    });
    const { origin } = draft;
    const data = { attempt: attempt + 1, origin, actions: shown, checks: checks.map(showCheck), notes: allNotes };
    const requestedBy = investigatedFor === null ? {} : { requestedBy: investigatedFor };
    const place = { incidentId: incident.id, cycle: incident.cycle, attempt: attempt + 1, ...requestedBy };
    return {
      state: 'planned',
      context: { ...context, attempt: attempt + 1 },
      events: [...events, { type: 'plan.made', actor: 'nightshift', data }],
      write: () => addActions(db, place, draft.actions),
    };
  };
}

/** Puts those that keep failing behind the others, and among equals the one that helped more often first. */
function byRecord(runbooks: readonly Runbook[], records: ReadonlyMap<string, RemedyRecord>): Runbook[] {
  const rank = ({ path, flags }: Runbook) => (flags.length > 0 ? 2 : records.get(path)?.failing ? 1 : 0);
  const rate = ({ path }: Runbook) => records.get(path)?.rate ?? NEUTRAL;
  return runbooks.toSorted(
    (a, b) => rank(a) - rank(b) || bySpecificity(a, b) || rate(b) - rate(a) || (a.path < b.path ? -1 : 1),
  );
}

const NEUTRAL = 0.5;

function warnings(
  runbooks: readonly Runbook[],
  records: ReadonlyMap<string, RemedyRecord>,
  names: readonly string[],
): string[] {
  return runbooks.flatMap(({ path, flags }) => {
    const record = records.get(path);
    return [
      ...(record?.failing ? [`${path} ${describeRecord(record, names.join(', '))}, so it comes last`] : []),
      ...(flags.length > 0
        ? [
            `${path} holds instruction-like text (${describeFlags(flags)}), so it comes last and acts only when asked about`,
          ]
        : []),
    ];
  });
}

interface Known {
  readonly runbooks: readonly Runbook[];
  readonly tried: readonly Action[];
}

/** Asks the model where there is one that answers, and otherwise goes by what the runbooks declare. */
async function nextRemedy(
  work: Work,
  { runbooks, tried }: Known,
  { db, catalogue, look, models, config: { mode }, autonomy, policy }: PlanDependencies,
): Promise<{ draft: Draft; events: NewEvent[] }> {
  const firing = work.alerts.filter((alert) => alert.status === 'firing');
  const spent = new Map(tried.map(({ fingerprint, status }) => [fingerprint, status]));
  const events: NewEvent[] = [];
  const unfounded = models.namesFor('plan').length > 0 ? whyNoModelPlans(work.incident.context.diagnosis) : null;
  if (models.namesFor('plan').length > 0 && unfounded === null) {
    const evidence = await evidenceOf(db, work.incident.id, work.incident.cycle);
    const bounds = { policy, mode, autonomy };
    const planned = await planWithModel(work, { firing, evidence, tried, catalogue, models, bounds });
    events.push(...planned.events);
    if (planned.draft) return { events, draft: planned.draft };
  }
  const makeChecks = (checks: readonly Check[]) =>
    runChecks(checks, work.alerts, { catalogue, look, abort: work.abort });
  const draft = await planFromRunbooks(runbooks, firing, { catalogue, spent, makeChecks });
  return { events, draft: { ...draft, notes: [...(unfounded === null ? [] : [unfounded]), ...draft.notes] } };
}

/** A plan can be no better than what it rests on: without that, only what runbooks declare is done. */
function whyNoModelPlans(diagnosis: Context['diagnosis']): string | null {
  const { inconclusive = true, review } = diagnosis ?? {};
  if (review === 'rejected') return 'no model was asked for a plan: another one rejected the diagnosis';
  if (review === 'unavailable') return 'no model was asked for a plan: nobody could review the diagnosis';
  return inconclusive ? 'no model was asked for a plan: the diagnosis is inconclusive' : null;
}

const REASONS_SHOWN = 2;
const REASON_LENGTH_MAX = 200;

function whyNothing({ origin, notes }: Draft, runbooks: readonly Runbook[], tried: readonly Action[]): string {
  if (tried.length > 0) return 'no remedy is left that was not tried or refused';
  if (origin.startsWith('model:')) return 'the model proposes no remedy that can be used';
  if (runbooks.length === 0) return 'no runbook with steps declares itself for this alert';
  const empty = runbooks.flatMap(({ path, remedies }) =>
    remedies.length === 0 ? [`${path}: it declares no steps`] : [],
  );
  const all = [...new Set([...notes, ...empty])].map((note) => plain(note));
  const shown = all
    .slice(0, REASONS_SHOWN)
    .map((note) => (note.length > REASON_LENGTH_MAX ? `${note.slice(0, REASON_LENGTH_MAX - 1)}…` : note));
  const more = all.length > shown.length ? ` (and ${all.length - shown.length} more)` : '';
  return `no remedy of a matching runbook can be used here${shown.length > 0 ? `: ${shown.join('; ')}${more}` : ''}`;
}
