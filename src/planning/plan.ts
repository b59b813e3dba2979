import { type Alert, commonLabels } from '../alert/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { evidenceOf } from '../diagnosis/index.ts';
import { type Check, isFiring, type NewEvent, type Outcome, type Stage, type Work } from '../incident/index.ts';
import type { Models } from '../llm/index.ts';
import { type Catalogue, type Look, runChecks } from '../mcp-tools/index.ts';
import { bindChecks, bindRemedies, matchingRunbooks, type Runbook } from '../rag/index.ts';
import { type Action, actionsOf, addActions, type DraftAction } from './action.ts';
import { planWithModel } from './plan-with-model.ts';

export interface PlanDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'limits'>;
  readonly catalogue: Catalogue;
  readonly look: Look;
  readonly models: Models;
}

interface Draft {
  readonly origin: string;
  readonly actions: readonly DraftAction[];
  readonly notes: readonly string[];
}

/** An action with one of these statuses was tried or refused, so the same is not planned again in this cycle. */
const SPENT: ReadonlySet<Action['status']> = new Set(['running', 'succeeded', 'failed', 'unknown', 'denied']);

/** Makes the stage that plans the next remedy, never one that already failed on this incident, or hands over to a person. */
export function createPlan(dependencies: PlanDependencies): Stage {
  const { db, config, catalogue, look } = dependencies;
  return async (work) => {
    const { incident, alerts } = work;
    const runbooks = await matchingRunbooks(
      db,
      alerts.map((alert) => alert.labels),
    );
    const { checks, notes } = checksOf(runbooks, alerts, catalogue);
    const context = { checks, escalateTo: runbooks.find(({ escalateTo }) => escalateTo)?.escalateTo ?? null };
    if (!isFiring(alerts)) {
      const verification = beginVerification('alert');
      return { ...verification, context: { ...context, ...verification.context } };
    }
    const { attempt } = incident.context;
    if (attempt === 0 && checks.length > 0) {
      const results = await runChecks(checks, alerts, { catalogue, look, abort: work.abort });
      if (results.every(({ passed }) => passed)) {
        const verification = beginVerification('alert');
        const unneeded: NewEvent = {
          type: 'plan.unneeded',
          actor: 'nightshift',
          data: { reason: 'the checks of the runbook pass already', checks: results },
        };
        return {
          ...verification,
          context: { ...context, ...verification.context },
          events: [unneeded, ...(verification.events ?? [])],
        };
      }
    }
    const handOver = (reason: string, more: Partial<NewEvent['data']> = {}): Outcome => ({
      state: 'escalated',
      context: { ...context, escalation: { reason, at: new Date().toISOString() } },
      events: [{ type: 'plan.none', actor: 'nightshift', data: { reason, ...more } }],
    });
    if (attempt >= config.limits.attempts) return handOver(`${attempt} remedies were tried and none helped`);
    const diagnosis = incident.context.diagnosis;
    if (diagnosis?.mode === 'model' && diagnosis.inconclusive)
      return handOver('the model could not ground a diagnosis in the evidence');

    const tried = (await actionsOf(db, incident.id, incident.cycle)).filter(({ status }) => SPENT.has(status));
    const { draft, events } = await nextRemedy(work, { runbooks, tried, notes }, dependencies);
    if (!draft) {
      const reason =
        tried.length > 0
          ? 'no remedy is left that was not tried or refused'
          : runbooks.length === 0
            ? 'no runbook declares itself for this alert'
            : 'no remedy of a matching runbook can be used here';
      return { ...handOver(reason, { notes }), events: [...events, ...(handOver(reason, { notes }).events ?? [])] };
    }
    const shown = draft.actions.map(({ call, reason, undo }) => ({
      tool: call.tool,
      instance: call.instance,
      arguments: call.arguments,
      target: call.target,
      risk: call.risk,
      reason,
      undo,
    }));
    const data = {
      attempt: attempt + 1,
      origin: draft.origin,
      actions: shown,
      checks: checks.map(showCheck),
      notes: draft.notes,
    };
    return {
      state: 'planned',
      context: { ...context, attempt: attempt + 1 },
      events: [...events, { type: 'plan.made', actor: 'nightshift', data }],
      write: () =>
        addActions(db, { incidentId: incident.id, cycle: incident.cycle, attempt: attempt + 1 }, draft.actions),
    };
  };
}

/** Gives the start of a verification, because the alert resolved or a person said that it is over. */
export function beginVerification(
  after: 'alert' | 'person',
  closedBy: string | null = null,
): Outcome & { context: object } {
  const verification = {
    after,
    startedAt: new Date().toISOString(),
    outcomeUnknown: false,
    patient: true,
    checksPassedAt: null,
    closedBy,
  };
  return {
    state: 'verifying',
    context: { verification },
    events: [{ type: 'verification.started', actor: closedBy ?? 'nightshift', data: { after } }],
  };
}

async function nextRemedy(
  work: Work,
  known: { runbooks: readonly Runbook[]; tried: readonly Action[]; notes: readonly string[] },
  dependencies: PlanDependencies,
): Promise<{ draft: Draft | null; events: NewEvent[] }> {
  const firing = work.alerts.filter((alert) => alert.status === 'firing');
  const tried = new Set(known.tried.map(({ fingerprint }) => fingerprint));
  const declared = declaredRemedies(known.runbooks, firing, dependencies.catalogue);
  if (dependencies.models.names.length > 0) {
    const evidence = await evidenceOf(dependencies.db, work.incident.id, work.incident.cycle);
    const labels = commonLabels(firing.map((alert) => alert.labels));
    const planned = await planWithModel(work, {
      labels,
      evidence,
      tried: known.tried,
      catalogue: dependencies.catalogue,
      models: dependencies.models,
    });
    if (planned.draft) {
      const fresh = planned.draft.actions.filter(({ fingerprint }) => !tried.has(fingerprint));
      const draft =
        fresh.length === 0
          ? null
          : { ...planned.draft, actions: fresh, notes: [...known.notes, ...planned.draft.notes] };
      return { draft, events: planned.events };
    }
    return { draft: firstUntried(declared, tried, known.notes), events: planned.events };
  }
  return { draft: firstUntried(declared, tried, known.notes), events: [] };
}

function declaredRemedies(
  runbooks: readonly Runbook[],
  firing: readonly Alert[],
  catalogue: Catalogue,
): (Draft & { usable: boolean })[] {
  return runbooks.flatMap((runbook) =>
    bindRemedies(runbook, firing, catalogue).map(({ name, steps, problems }) => ({
      origin: `runbook:${runbook.path}`,
      usable: steps.length > 0 && problems.length === 0,
      notes: problems.map((problem) => `${runbook.path} (${name}): ${problem}`),
      actions: steps.map(({ call, labels, fingerprint, reason, undo }) => ({
        call,
        labels,
        fingerprint,
        undo,
        reason,
        origin: `runbook:${runbook.path}`,
        expectedEffect: 'the checks of the runbook pass',
      })),
    })),
  );
}

/** A remedy is left while at least one of its actions was not tried; one that cannot be bound in full is not begun. */
function firstUntried(
  remedies: readonly (Draft & { usable: boolean })[],
  tried: ReadonlySet<string>,
  notes: readonly string[],
): Draft | null {
  const found = remedies.find(
    ({ usable, actions }) => usable && actions.some(({ fingerprint }) => !tried.has(fingerprint)),
  );
  const unusable = remedies.filter(({ usable }) => !usable).flatMap((remedy) => remedy.notes);
  return found ? { ...found, notes: [...notes, ...unusable] } : null;
}

function checksOf(
  runbooks: readonly Runbook[],
  alerts: readonly Alert[],
  catalogue: Catalogue,
): { checks: Check[]; notes: string[] } {
  const bound = runbooks.map((runbook) => ({ path: runbook.path, ...bindChecks(runbook, alerts, catalogue) }));
  const [first] = bound.filter(({ checks }) => checks.length > 0);
  const notes = bound.flatMap(({ path, problems }) => problems.map((problem) => `${path} (verify): ${problem}`));
  return { checks: (first?.checks ?? []).map(({ call: _call, ...check }) => check), notes };
}

function showCheck({ tool, arguments: args, expect, withinSeconds }: Check): string {
  return `${tool} ${JSON.stringify(args)} must show ${expect} within ${withinSeconds} s`;
}
