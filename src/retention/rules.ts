import type { RetentionConfig } from '../config/index.ts';

/** What bounds the growth of one table. */
export interface Rule {
  /** The setting by whose days it goes; null where something else bounds it. */
  readonly by: keyof RetentionConfig | null;
  /** One sentence for people; it stands in docs/retention.md as well. */
  readonly says: string;
}

const withIncident: Rule = { by: 'incidents', says: 'goes with its incident' };
const keptByDoor = (says: string): Rule => ({ by: null, says });

/** The rule of every table; a table without one fails a test. */
export const RULES: Readonly<Record<string, Rule>> = {
  incident: {
    by: 'incidents',
    says: 'goes so long after it closed, once its events are gone; after `learned` where something was sent',
  },
  alert: { by: 'incidents', says: 'goes with its incident, or after `deliveries` where it belongs to none' },
  signal: keptByDoor('is dropped as soon as it is heard; an incident that has one stays'),
  event: {
    by: 'audit',
    says: 'goes in the order of the seals, never younger than 30 days, never while it is about an open incident',
  },
  seal: { by: 'audit', says: 'goes after its events; the last one that was given up stays as the anchor' },
  evidence: withIncident,
  evidence_full: { by: 'details', says: 'goes so long after its incident closed' },
  journal: { by: 'details', says: 'goes so long after its incident closed' },
  action: withIncident,
  intent: withIncident,
  approval: withIncident,
  approval_vote: withIncident,
  model_score: withIncident,
  slack_thread: withIncident,
  slack_message: withIncident,
  pagerduty_projection: withIncident,
  pagerduty_call: withIncident,
  model_spending: { by: 'incidents', says: 'goes with its incident; the counters of a day after `audit`' },
  past_incident: { by: 'learned', says: 'goes so long after its incident closed' },
  past_incident_vector: { by: 'learned', says: 'goes with its past incident' },
  remedy_outcome: { by: 'learned', says: 'goes so long after the remedy ran' },
  model_call: { by: 'modelCalls', says: 'goes so long after it was asked' },
  outbox: { by: 'messages', says: 'goes so long after it was written, once it was delivered' },
  outbox_delivery: { by: 'messages', says: 'goes with its message' },
  maintenance: { by: 'messages', says: 'goes so long after it ended' },
  delivery: { by: 'deliveries', says: 'goes so long after it arrived' },
  slack_request: keptByDoor('is dropped by the Slack door after 15 minutes'),
  token: keptByDoor(
    'stays for good: a revoked secret must stay refused, and its name taken; one row for each that was made',
  ),
  session: keptByDoor('is dropped when somebody signs in, a day after it was over'),
  idempotency_key: { by: null, says: 'goes after 24 hours' },
  slo_sample: { by: null, says: 'goes after 30 days' },
  kill_switch: keptByDoor('is one row'),
  installation: keptByDoor('is one row'),
  heartbeat: keptByDoor('is one row for each thing that is watched'),
  pagerduty_source: keptByDoor('is one row for each source that was ever connected'),
  slack_channel: keptByDoor('is one row for each channel that was ever connected'),
  runbook: keptByDoor('follows the files of the runbooks'),
  chunk: keptByDoor('goes with its runbook'),
  chunk_vector: keptByDoor('goes with its passage'),
  posting: keptByDoor('goes with its runbook'),
  term: keptByDoor('goes once no runbook has the word'),
  embedder: keptByDoor('is one row for each embedder in use, two at most that serve'),
  kysely_migration: keptByDoor('is one row for each migration'),
  kysely_migration_lock: keptByDoor('is one row'),
};
