import { type Approval, listApprovals } from '../approval/index.ts';
import type { Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { type Evidence, evidenceOf } from '../diagnosis/index.ts';
import {
  alertsOf,
  childrenOf,
  eventsAfter,
  type Incident,
  incidentName,
  loadIncident,
  type StoredAlert,
  type StoredEvent,
} from '../incident/index.ts';
import { spentOnIncident } from '../llm/index.ts';
import { type Action, actionsOf } from '../planning/index.ts';

const PAGE = 1000;
/** An incident that has more is told without its end. */
export const EVENTS_MAX = 20_000;

/** All that is known of one incident. */
export interface Story {
  readonly incident: Incident;
  /** As services.yaml says; null where it does not. */
  readonly service: { readonly name: string; readonly team: string | null } | null;
  /** Those of its present cycle. */
  readonly alerts: readonly StoredAlert[];
  /** The names of the incidents folded under it. */
  readonly under: readonly string[];
  readonly events: readonly StoredEvent[];
  readonly evidence: readonly Evidence[];
  readonly actions: readonly Action[];
  readonly approvals: readonly Approval[];
  /** What the models have cost for it, in US dollars. */
  readonly costUsd: number;
}

/** Reads all that is known of an incident. @throws NightshiftError `not_found`. */
export async function loadStory(db: Database, id: number, services: Services): Promise<Story> {
  const incident = await loadIncident(db, id);
  const service = services.serviceOf(incident.labels);
  return {
    incident,
    service: service && { name: service.name, team: service.team ?? null },
    alerts: await alertsOf(db, incident),
    under: (await childrenOf(db, id)).map(incidentName),
    events: await allEventsOf(db, id),
    evidence: await evidenceOf(db, id),
    actions: await actionsOf(db, id),
    approvals: await listApprovals(db, { incidentId: id }),
    costUsd: await spentOnIncident(db, id),
  };
}

/** Reads the whole timeline of an incident, up to 20,000 events. */
export async function allEventsOf(db: Database, id: number): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (;;) {
    const page = await eventsAfter(db, id, events.at(-1)?.id ?? 0, PAGE);
    events.push(...page);
    if (page.length < PAGE || events.length >= EVENTS_MAX) return events;
  }
}
