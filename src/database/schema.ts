import type { ColumnType, Generated } from 'kysely';

/** jsonb columns are read as parsed values of unknown shape (validate them) and written through `json()`. */
type Json = ColumnType<unknown, unknown, unknown>;
type Timestamp = ColumnType<Date, Date | undefined, Date>;

export interface Schema {
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
  model_call: {
    id: Generated<number>;
    at: Timestamp;
    incident_id: number | null;
    role: string;
    /** As the configuration calls it. */
    model: string;
    prompts: Json;
    prompt_sha256: string;
    question_sha256: string;
    outcome: string;
    error: string | null;
    degraded: string | null;
    input_tokens: number | null;
    cached_tokens: number | null;
    output_tokens: number | null;
    /** A decimal number as text. */
    cost_usd: ColumnType<string | null, number | null, never>;
    price_date: ColumnType<Date | string | null, string | null, never>;
    latency_ms: number;
    request: Json;
    answer: Json | null;
  };
  model_spending: {
    /** `day`, `role:ROLE` or `incident:ID`. */
    scope: string;
    day: ColumnType<Date | string, string, never>;
    /** A decimal number as text. */
    usd: ColumnType<string, number, number>;
    tokens: number;
    calls: number;
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
  token: {
    id: Generated<number>;
    name: string;
    person: string;
    role: string;
    sha256: string;
    created_at: Timestamp;
    last_used_at: Date | null;
    revoked_at: Date | null;
    scopes: string[] | null;
    expires_at: Date | null;
  };
  idempotency_key: { id: string; request_sha256: string; answer: Buffer; created_at: Timestamp };
  session: {
    id: string;
    sha256: string;
    person: string;
    role: string;
    via: string;
    token: string | null;
    token_sha256: string | null;
    client: string;
    created_at: Timestamp;
    last_seen_at: Timestamp;
    expires_at: Date;
    revoked_at: ColumnType<Date | null, never, Date>;
  };
  kill_switch: {
    id: Generated<boolean>;
    engaged: boolean;
    reason: string;
    by: string;
    via: string;
    at: Timestamp;
    release_votes: string[];
  };
  outbox: {
    id: Generated<number>;
    /** Null where it is about no incident. */
    incident_id: number | null;
    kind: string;
    message: Json;
    /** Set once each way to people has its row for it. */
    routed_at: Date | null;
    /** Set once no way to people is left to try. */
    sent_at: Date | null;
    failed_at: Date | null;
    created_at: Timestamp;
  };
  outbox_delivery: {
    outbox_id: number;
    channel: string;
    attempts: Generated<number>;
    due_at: Timestamp;
    /** Set while it is not known whether an earlier send arrived. */
    sending_since: ColumnType<Date | null, Date | null | undefined, Date | null>;
    outcome: string | null;
    last_error: string | null;
    ended_at: Date | null;
  };
  installation: {
    only_one: Generated<boolean>;
    id: Generated<string>;
    placeholder_key: Generated<Uint8Array>;
    webhook_tokens: Generated<unknown>;
  };
  model_score: {
    incident_id: number;
    cycle: number;
    status: string;
    attempts: Generated<number>;
    due_at: ColumnType<Date, Date, Date>;
    judged: Json;
    model: ColumnType<string | null, string | null | undefined, string | null>;
    cause: ColumnType<number | null, number | null | undefined, number | null>;
    grounded: ColumnType<number | null, number | null | undefined, number | null>;
    outcome: ColumnType<number | null, number | null | undefined, number | null>;
    reason: Generated<string>;
    cost_usd: ColumnType<number | null, number | null | undefined, number | null>;
    scored_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
    send_due_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
    send_attempts: Generated<number>;
    sent_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
    send_problem: ColumnType<string | null, string | null | undefined, string | null>;
  };
  slo_sample: {
    at: ColumnType<Date, Date, never>;
    signal: string;
    agent: string;
    value: number;
    observations: number | null;
    mean: number | null;
    stddev: number | null;
    deviates: boolean;
  };
  heartbeat: { name: string; last_seen_at: Date | null; watched_since: Timestamp; told_at: Date | null };
  pagerduty_source: { source: string; connected_at: Timestamp; next_send_at: Timestamp };
  pagerduty_projection: { incident_id: number; shows: string };
  pagerduty_call: {
    id: Generated<number>;
    incident_id: number;
    source: string;
    /** PagerDuty's name of its incident. */
    subject: string;
    purpose: string;
    kind: string;
    words: string;
    from_level: number | null;
    to_level: number | null;
    attempts: Generated<number>;
    due_at: Timestamp;
    claimed_until: Date | null;
    sending_since: ColumnType<Date | null, Date | null | undefined, Date | null>;
    outcome: string | null;
    last_error: string | null;
    created_at: Timestamp;
    ended_at: Date | null;
  };
  runbook: {
    id: Generated<number>;
    path: string;
    title: string;
    sha256: string;
    indexer: string;
    front_matter: Json | null;
    problems: Json;
    body: string;
    indexed_at: Timestamp;
    repository: ColumnType<string | null, string | null | undefined, string | null>;
    git_commit: ColumnType<string | null, string | null | undefined, string | null>;
    repository_path: ColumnType<string | null, string | null | undefined, string | null>;
    name_words: ColumnType<string[], unknown, unknown>;
    name_key: ColumnType<string, string | undefined, string>;
    flags: ColumnType<unknown, unknown, unknown>;
    steps_sha256: ColumnType<string | null, string | null | undefined, string | null>;
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
  chunk: {
    id: Generated<number>;
    runbook_id: number;
    ordinal: number;
    breadcrumb: string;
    content: string;
    start_line: number;
    end_line: number;
    text_sha256: ColumnType<string, string | undefined, string>;
  };
  embedder: {
    name: string;
    dimensions: ColumnType<number | null, number | undefined, number>;
    width: ColumnType<number | null, number | undefined, number>;
    slot: ColumnType<number | null, number | undefined, number>;
    serving: Generated<boolean>;
    wanted: Generated<boolean>;
    worker: ColumnType<string | null, undefined, string | null>;
    worker_until: ColumnType<Date | null, undefined, unknown>;
  };
  chunk_vector: {
    slot: number;
    width: number;
    runbook_id: number;
    chunk_id: number;
    embedding: ColumnType<string, unknown, unknown>;
  };
  past_incident_vector: {
    slot: number;
    width: number;
    incident_id: number;
    cycle: number;
    embedding: ColumnType<string, unknown, unknown>;
  };
  posting: { term: string; runbook_id: number; weight: number };
  term: { term: string; runbooks: number };
  slack_request: { sha256: string; seen_at: ColumnType<Date, Date, never> };
  past_incident: {
    incident_id: number;
    cycle: number;
    title: string;
    summary: string;
    labels: Json;
    remedies: Json;
    search: ColumnType<string, unknown, unknown>;
    rating: Generated<number>;
    closed_at: Timestamp;
  };
  slack_channel: {
    channel: string;
    installation: Generated<string>;
    connected_at: Timestamp;
    next_send_at: Timestamp;
  };
  slack_thread: {
    incident_id: number;
    channel: string;
    shows: string | null;
    closed: Generated<boolean>;
    look_again_at: Date | null;
  };
  slack_message: {
    id: Generated<number>;
    incident_id: number;
    purpose: string;
    channel: string;
    /** Slack's name of the message; null until it is known. */
    ts: string | null;
    wanted: Json;
    wanted_sha256: string;
    wanted_at: Timestamp;
    /** Of what Slack last confirmed. */
    content_sha256: string | null;
    urgent: boolean;
    attempts: Generated<number>;
    due_at: Timestamp;
    /** Set while it is not known whether Slack has the message. */
    sending_since: ColumnType<Date | null, Date | null | undefined, Date | null>;
    last_error: string | null;
    created_at: Timestamp;
  };
}
