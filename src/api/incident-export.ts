import type { Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { fullEvidenceOf } from '../diagnosis/index.ts';
import { storedJudgements } from '../gate/index.ts';
import { allAlertsOf, incidentName } from '../incident/index.ts';
import { loadStory } from '../insights/index.ts';
import { modelCallsOf } from '../llm/index.ts';
import { showAction, showApprovals, showEvent, showIncident } from './show.ts';

/** Whoever reads one later must know what it is. */
const FORM = 'nightshift-incident/1';

/** Gives all that is stored about an incident as one document. @throws NightshiftError `not_found`. */
export async function exportIncident(db: Database, id: number, services: Services) {
  const { incident, under, events, actions, approvals, costUsd } = await loadStory(db, id, services);
  const { calls, leftOut } = await modelCallsOf(db, id);
  return {
    form: FORM,
    exportedAt: await db.now(),
    incident: { ...showIncident(incident, services), incidents: under, checks: incident.context.checks, costUsd },
    alerts: await allAlertsOf(db, id),
    evidence: await fullEvidenceOf(db, id),
    diagnosis: incident.context.diagnosis,
    modelCalls: calls,
    modelCallsLeftOut: leftOut,
    actions: actions.map(showAction),
    approvals: await showApprovals(db, approvals),
    judgements: (await storedJudgements(db, { incidentId: id })).map(({ incidentId: _, ...one }) => ({
      ...one,
      incident: incidentName(id),
    })),
    events: events.map(showEvent),
  };
}
