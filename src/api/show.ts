import { type Approval, listApprovals, renderCard } from '../approval/index.ts';
import type { Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { fullEvidenceOf } from '../diagnosis/index.ts';
import {
  alertsOf,
  childrenOf,
  eventsAfter,
  type Incident,
  incidentName,
  loadIncident,
  type StoredEvent,
  wordsOf,
} from '../incident/index.ts';
import { spentOnIncident } from '../llm/index.ts';
import { type Action, actionsOf } from '../planning/index.ts';
import { citeLines, type Found } from '../rag/index.ts';
import { redactValue } from '../telemetry/index.ts';
import type { Refusals } from './refusals.ts';

const EVENTS_MAX = 5000;
const NEWER = 'a newer version of Nightshift has worked on it, and only that one goes on with it';

/** Shows an incident in one line's worth of fields; its service and team are those of services.yaml, null where none fits. */
export function showIncident(
  { id, state, title, severity, labels, cycle, context, isForeign, parentId, traceId, ...moments }: Incident,
  services: Services,
) {
  const service = services.serviceOf(labels);
  return {
    id: incidentName(id),
    state,
    title,
    severity,
    labels,
    service: service?.name ?? null,
    team: service?.team ?? null,
    cycle,
    attempt: context.attempt,
    foldedUnder: parentId === null ? null : incidentName(parentId),
    held: context.held,
    flapping: context.flapping,
    needs: isForeign ? NEWER : state === 'escalated' ? (context.escalation?.reason ?? null) : null,
    traceId,
    openedAt: moments.openedAt,
    updatedAt: moments.updatedAt,
    closedAt: moments.closedAt,
  };
}

/** Shows everything about an incident as it is at one moment: alerts, evidence, diagnosis, actions, approvals and the whole timeline. */
export async function showIncidentWhole(
  db: Database,
  id: number,
  services: Services,
  refused?: (approval: Approval) => Refusals,
) {
  return db.snapshot(async () => {
    const incident = await loadIncident(db, id);
    return {
      ...showIncident(incident, services),
      incidents: (await childrenOf(db, id)).map(incidentName),
      alerts: await alertsOf(db, incident),
      diagnosis: incident.context.diagnosis,
      checks: incident.context.checks,
      costUsd: await spentOnIncident(db, id),
      evidence: await fullEvidenceOf(db, id),
      actions: (await actionsOf(db, id)).map(showAction),
      approvals: await showApprovals(db, await listApprovals(db, { incidentId: id }), refused),
      events: (await eventsAfter(db, id, 0, EVENTS_MAX)).map(showEvent),
    };
  });
}

/** Shows an action; what an inspection saw is kept as it was, since it may have to be put back, and is shown without secrets. */
export function showAction({ inspection, ...action }: Action) {
  return { ...action, inspection: redactValue(inspection) };
}

/** Shows a line of the timeline, with what it tells in words. */
export function showEvent({ id, incidentId, at, type, actor, data }: StoredEvent) {
  const incident = incidentId === null ? null : incidentName(incidentId);
  return { id, incident, at, type, actor, data, words: wordsOf({ type, actor, data }) };
}

/** Shows approvals with the card that people decide by and, where it is known who asks, why an answer of theirs would be refused. */
export async function showApprovals(
  db: Database,
  approvals: readonly Approval[],
  refused?: (approval: Approval) => Refusals,
) {
  return Promise.all(
    approvals.map(async (approval) => {
      const incident = await loadIncident(db, approval.incidentId);
      const action = (await actionsOf(db, approval.incidentId)).find(({ id }) => id === approval.actionId);
      const { id, actionId, digest, subject, required, status, expiresAt, createdAt, decidedAt, votes } = approval;
      const card = action
        ? renderCard(approval, action, { title: incident.title, spoke: action.decision?.spoke ?? [] })
        : [];
      return {
        id,
        incident: incidentName(approval.incidentId),
        action: actionId,
        digest,
        required,
        status,
        expiresAt,
        createdAt,
        decidedAt,
        votes,
        /** What is put into its arguments when it is sent, never the value. */
        secrets: subject.secrets ?? [],
        card,
        ...(refused ? { refused: refused(approval) } : {}),
      };
    }),
  );
}

/** Adds to passages where exactly they stand, in one line for people. */
export function citeAll(found: readonly Found[]) {
  return found.map((one) => ({ ...one, cite: citeLines(one, one) }));
}
