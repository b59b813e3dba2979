import type { ColumnType, Generated } from 'kysely';
import type { Json, Timestamp } from './column.ts';

/** Incidents: what came in, what was looked at, done and decided, and the story of it. */
export interface IncidentTables {
  incident: {
    id: Generated<number>;
    state: string;
    version: Generated<number>;
    wake_seq: Generated<number>;
    job_id: string | null;
    cycle: Generated<number>;
    correlation_key: string;
    title: string;
    severity: string;
    labels: Json;
    trace_id: string;
    context: Json;
    opened_at: Timestamp;
    updated_at: Timestamp;
    closed_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
    /** The incident under which this one is folded. */
    parent_id: number | null;
    /** A person took it out of a fold; it is not folded by itself again. */
    kept_apart: Generated<boolean>;
    service: string | null;
    /** When it was last opened again. */
    reopened_at: Date | null;
    /** When its first alert began, as its sender says. */
    started_at: ColumnType<Date, Date | undefined, never>;
    /** When it was last handed to people without having been begun, because too many waited. */
    shed_at: ColumnType<Date | null, never, Date>;
  };
  maintenance: {
    id: string;
    origin: string;
    matchers: Json;
    reason: string;
    made_by: string;
    starts_at: ColumnType<Date, Date, Date>;
    ends_at: ColumnType<Date, Date, Date>;
    created_at: Timestamp;
  };
  delivery: {
    id: Generated<number>;
    source: string;
    sender: string;
    body_sha256: string;
    alerts: number;
    problems: Json;
    /** Kept only where part of the delivery was refused. */
    body: string | null;
    /** What its sender signed as the event's own id. */
    event_id: string | null;
    received_at: Timestamp;
  };
  alert: {
    id: Generated<number>;
    incident_id: number | null;
    /** The incident's cycle in which it last fired. */
    cycle: number;
    source: string;
    fingerprint: string;
    status: 'firing' | 'resolved';
    labels: Json;
    annotations: Json;
    generator_url: string | null;
    starts_at: ColumnType<Date, Date, never>;
    ends_at: Date | null;
    received: Generated<number>;
    first_seen_at: Timestamp;
    last_seen_at: Timestamp;
  };
  heartbeat: { name: string; last_seen_at: Date | null; watched_since: Timestamp; told_at: Date | null };
  event: {
    id: Generated<number>;
    incident_id: number | null;
    at: Timestamp;
    type: string;
    actor: string;
    data: Json;
    tx: Generated<string>;
  };
  seal: {
    id: number;
    covered: string;
    event_sha256: ColumnType<unknown, unknown, unknown>;
    previous_sha256: string;
    at: Timestamp;
    sha256: string;
  };
  signal: { id: Generated<number>; incident_id: number; kind: string; by: string; at: Timestamp };
  evidence: {
    incident_id: number;
    ref: string;
    cycle: number;
    kind: string;
    title: string;
    content: string;
    origin: Json;
    at: Timestamp;
  };
  evidence_full: { incident_id: number; ref: string; content: string; at: Timestamp };
  journal: { incident_id: number; key: string; result: Json; duration_ms: number; at: Timestamp };
  action: {
    id: string;
    incident_id: number;
    cycle: number;
    attempt: number;
    ordinal: number;
    instance: string;
    tool: string;
    arguments: Json;
    target: string;
    risk: string;
    fingerprint: string;
    origin: string;
    reason: string;
    expected_effect: string;
    undo: string;
    labels: Json;
    definition_sha256: string;
    status: string;
    decision: Json | null;
    result: Json | null;
    created_at: Timestamp;
    requested_by: string | null;
    inspection: Json | null;
    questions: Json | null;
    effect: string | null;
    undo_of: string | null;
  };
  intent: {
    action_id: string;
    target: string;
    sent_at: Timestamp;
    busy_until: Timestamp;
    outcome: string | null;
    result: Json | null;
    finished_at: Date | null;
  };
  approval: {
    id: string;
    incident_id: number;
    action_id: string;
    digest: string;
    subject: Json;
    required: number;
    status: string;
    expires_at: Date;
    created_at: Timestamp;
    decided_at: Date | null;
    used_at: ColumnType<Date | null, never, Date>;
  };
  approval_vote: {
    approval_id: string;
    principal: string;
    decision: string;
    reason: string;
    via: string;
    at: Timestamp;
  };
  remedy_outcome: {
    incident_id: number;
    cycle: number;
    attempt: number;
    alertname: string;
    service: string;
    runbook: string | null;
    steps_sha256: string | null;
    tool: string;
    target: string;
    outcome: string;
    at: ColumnType<Date, Date, Date>;
  };
}
