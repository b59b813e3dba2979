import type { TimelineEvent, WholeIncident } from '../api/shapes.ts';
import { stageOf } from './story.ts';

/** Gives an incident as it was right after that event of its timeline; what came later is not there yet. */
export function asItWas(incident: WholeIncident, at: number | null): WholeIncident {
  if (at === null) return incident;
  const events = incident.events.slice(0, at + 1);
  const moment = Date.parse(events.at(-1)?.at ?? incident.openedAt);
  const happened = (type: string) => events.some((event) => event.type === type);
  const statusOf = (id: string) =>
    events.findLast(({ type, data }) => type.startsWith('action.') && data.action === id)?.type.slice('action.'.length);
  const isOver = happened('incident.resolved') || happened('incident.stopped');
  return {
    ...incident,
    events,
    state: stateAfter(events) ?? 'received',
    closedAt:
      isOver && incident.closedAt !== null && Date.parse(incident.closedAt) <= moment ? incident.closedAt : null,
    needs: happened('incident.escalated') ? incident.needs : null,
    diagnosis: happened('diagnosis.made') ? incident.diagnosis : null,
    evidence: incident.evidence.filter(({ ref }) => isKnown(events, ref)),
    actions: incident.actions
      .filter(({ createdAt }) => Date.parse(createdAt) <= moment && happened('plan.made'))
      .map((action) => ({ ...action, status: statusOf(action.id) ?? 'proposed' })),
    approvals: incident.approvals
      .filter(({ id }) => events.some(({ type, data }) => type === 'approval.requested' && data.approval === id))
      .map((approval) => ({
        ...approval,
        votes: approval.votes.filter(({ at: said }) => Date.parse(said) <= moment),
        status: approval.decidedAt !== null && Date.parse(approval.decidedAt) <= moment ? approval.status : 'pending',
      })),
    alerts: incident.alerts.filter(({ receivedAt }) => Date.parse(receivedAt) <= moment),
  };
}

function stateAfter(events: readonly TimelineEvent[]) {
  const staged = events.findLast((event) => !event.type.startsWith('model.') && stageOf(event) !== null);
  return staged ? stageOf(staged) : null;
}

/** Evidence is there from the event on that lists it. */
function isKnown(events: readonly TimelineEvent[], ref: string): boolean {
  return events.some(({ data }) =>
    [data.evidence, data.found].some(
      (list) => Array.isArray(list) && list.some((one: { readonly ref?: unknown }) => one?.ref === ref),
    ),
  );
}
