import type { Action, Alert, Approval, Diagnosis, ModelCall, TimelineEvent, WholeIncident } from '../api/shapes.ts';
import { stageOf } from './story.ts';

type Events = readonly TimelineEvent[];

/**
 * Gives an incident as it was right after that event of its timeline, out of that timeline and of the model calls until then; what came later
 * is not there yet. Where no event is chosen it is as it is now.
 */
export function asItWas(incident: WholeIncident, at: number | null, calls: readonly ModelCall[]): WholeIncident {
  if (at === null) return incident;
  const events = incident.events.slice(0, at + 1);
  const now = events.at(-1)?.at ?? incident.openedAt;
  // An event stands a little before what is written with it.
  const next = incident.events[at + 1]?.at ?? '9';
  const last = (type: string) => events.findLast((event) => event.type === type);
  const state = stateAfter(events) ?? 'received';
  const cycle = Number(last('incident.reopened')?.data.cycle ?? 1);
  // When it fires again, it begins anew.
  const own = events.slice(events.findLastIndex(({ type }) => type === 'incident.reopened') + 1);
  const diagnosed = own.findLast(({ type }) => type === 'diagnosis.made');
  const fold = events.findLast(({ type }) => /^incident\.(un)?folded$/.test(type));
  const under = new Set(
    events.flatMap(({ type, data }) => (type === 'incident.took_in' ? listOf(data.incidents) : [])),
  );
  return {
    ...incident,
    events,
    state,
    cycle,
    closedAt: state === 'resolved' || state === 'stopped' ? now : null,
    needs: state === 'escalated' ? String(last('incident.escalated')?.data.reason ?? '') : null,
    held: heldBy(own),
    flapping: own.some(({ type }) => type === 'incident.flapping'),
    foldedUnder: fold?.type === 'incident.folded' ? String(fold.data.under) : null,
    incidents: incident.incidents.filter((one) => under.has(one)),
    costUsd: until(now, calls).reduce((sum, { costUsd }) => sum + (costUsd ?? 0), 0),
    diagnosis: diagnosed ? ({ ...incident.diagnosis, ...diagnosed.data } as Diagnosis) : null,
    evidence: incident.evidence.filter(({ ref }) => isKnown(events, ref)),
    actions: incident.actions
      .filter(({ createdAt }) => createdAt < next && events.some(({ type }) => /^(plan|undo)\./.test(type)))
      .map((action) => actionAfter(events, action, incident.approvals)),
    approvals: incident.approvals.flatMap((approval) => approvalAfter(events, approval)),
    alerts: incident.alerts.flatMap((alert) => alertAfter(events, alert)),
  };
}

/** Leaves out what came after a moment. */
export function until<T extends { readonly at: string }>(moment: string | null, all: readonly T[]): readonly T[] {
  return moment === null ? all : all.filter(({ at }) => at <= moment);
}

function stateAfter(events: Events) {
  const staged = events.findLast((event) => !event.type.startsWith('model.') && stageOf(event) !== null);
  return staged ? stageOf(staged) : null;
}

/** It waits no more once anything is done about it. */
function heldBy(events: Events): string | null {
  const held = events.findLastIndex(({ type }) => type === 'incident.held');
  return held === -1 || events.slice(held).some((event) => stageOf(event) !== null)
    ? null
    : String(events[held]?.data.because);
}

/** Evidence is there from the event on that lists it. */
function isKnown(events: Events, ref: string): boolean {
  return events.some(({ data }) =>
    [data.evidence, data.found].some((list) =>
      listOf(list).some((one: { readonly ref?: unknown }) => one?.ref === ref),
    ),
  );
}

const ENDED = /^action\.(succeeded|failed|unknown|refused|cancelled)$/;
const SEEN = /^verification\.(recovered|unchanged|worse|unconfirmed)$/;
const SAID: Readonly<Record<string, string>> = { allow: 'allowed', ask: 'proposed', deny: 'denied', pending: 'asked' };

function actionAfter(events: Events, action: Action, approvals: readonly Approval[]): Action {
  const asked = new Set(approvals.filter((one) => one.action === action.id).map(({ id }) => id));
  const own = events.filter(({ data }) => data.action === action.id || asked.has(String(data.approval)));
  const isJudged = own.some(({ type }) => type === 'policy.decided');
  const ended = own.findLast(({ type }) => ENDED.test(type));
  const isSeen = ended !== undefined && events.slice(events.indexOf(ended)).some(({ type }) => SEEN.test(type));
  const last = own.at(-1);
  return {
    ...action,
    status: last ? statusOf(last) : 'proposed',
    decision: isJudged ? action.decision : null,
    inspection: isJudged ? action.inspection : null,
    result: ended ? action.result : null,
    effect: isSeen ? action.effect : null,
  };
}

function statusOf({ type, data }: TimelineEvent): string {
  if (type.startsWith('action.')) return type.slice('action.'.length);
  if (type === 'approval.requested') return 'asked';
  if (type === 'approval.expired' || type === 'approval.superseded') return 'cancelled';
  const said = String(type === 'approval.decided' ? data.status : data.decision);
  return SAID[said] ?? said;
}

function approvalAfter(events: Events, approval: Approval): Approval[] {
  const own = events.filter(({ type, data }) => type.startsWith('approval.') && data.approval === approval.id);
  const [{ type, data, at } = { type: '', data: {} as TimelineEvent['data'], at: '' }] = own.slice(-1);
  if (type === '') return [];
  const status = type === 'approval.requested' ? 'pending' : type === 'approval.decided' ? data.status : type.slice(9);
  return [{ ...approval, votes: [...until(at, approval.votes)], status: status as Approval['status'] }];
}

/** What a sender said last of an alert; one that no line tells of came with whatever else was there. */
function alertAfter(events: Events, alert: Alert): Alert[] {
  const said = events.findLast(({ type, data }) => type.startsWith('alert.') && data.fingerprint === alert.fingerprint);
  if (!said) return alert.receivedAt <= (events.at(-1)?.at ?? '') ? [alert] : [];
  return [{ ...alert, status: said.type === 'alert.firing' ? 'firing' : 'resolved' }];
}

// biome-ignore lint/suspicious/noExplicitAny: events of older versions are shown as far as they go.
function listOf(value: unknown): readonly any[] {
  return Array.isArray(value) ? value : [];
}
