-- A statement ends with a semicolon at the end of a line that an empty line or the end of the file follows.
create extension if not exists vector;

create table incident (
  id bigint generated always as identity primary key,
  state text not null,
  version integer not null default 0,
  wake_seq integer not null default 0,
  job_id uuid,
  cycle integer not null default 1,
  correlation_key text not null,
  title text not null,
  severity text not null,
  labels jsonb not null,
  trace_id text not null,
  context jsonb not null,
  opened_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz
);

create unique index incident_open_by_key on incident (correlation_key) where state not in ('resolved', 'stopped');

create index incident_by_key on incident (correlation_key, id desc);

create table delivery (
  id bigint generated always as identity primary key,
  source text not null,
  sender text not null,
  body_sha256 text not null,
  alerts integer not null,
  problems jsonb not null,
  body text,
  received_at timestamptz not null default clock_timestamp()
);

create table alert (
  id bigint generated always as identity primary key,
  incident_id bigint references incident (id),
  cycle integer not null,
  source text not null,
  fingerprint text not null,
  status text not null check (status in ('firing', 'resolved')),
  labels jsonb not null,
  annotations jsonb not null,
  generator_url text,
  starts_at timestamptz not null,
  ends_at timestamptz,
  received integer not null default 1,
  first_seen_at timestamptz not null default clock_timestamp(),
  last_seen_at timestamptz not null default clock_timestamp(),
  unique (source, fingerprint, starts_at)
);

create index alert_by_incident on alert (incident_id);

create table event (
  id bigint generated always as identity primary key,
  incident_id bigint references incident (id),
  at timestamptz not null default clock_timestamp(),
  type text not null,
  actor text not null,
  data jsonb not null
);

create index event_by_incident on event (incident_id, id);

create function refuse_change() returns trigger language plpgsql as $$ begin
  raise exception 'table % is append-only', tg_table_name;
end $$;

create trigger event_append_only before update or delete on event for each row execute function refuse_change();

create table signal (
  id bigint generated always as identity primary key,
  incident_id bigint not null references incident (id),
  kind text not null check (kind in ('fired', 'resolved', 'close', 'ask_again', 'stop')),
  by text not null,
  at timestamptz not null default clock_timestamp()
);

create index signal_by_incident on signal (incident_id);

create table evidence (
  incident_id bigint not null references incident (id),
  ref text not null,
  cycle integer not null,
  kind text not null check (kind in ('runbook', 'past_incident', 'tool')),
  title text not null,
  content text not null,
  origin jsonb not null,
  at timestamptz not null default clock_timestamp(),
  primary key (incident_id, ref)
);

create table journal (
  incident_id bigint not null references incident (id),
  key text not null,
  result jsonb not null,
  duration_ms integer not null,
  at timestamptz not null default clock_timestamp(),
  primary key (incident_id, key)
);

create table action (
  id text primary key,
  incident_id bigint not null references incident (id),
  cycle integer not null,
  attempt integer not null,
  ordinal integer not null,
  instance text not null,
  tool text not null,
  arguments jsonb not null,
  target text not null,
  risk text not null check (risk in ('read', 'safe', 'destructive', 'critical', 'forbidden')),
  fingerprint text not null,
  origin text not null,
  reason text not null,
  expected_effect text not null,
  undo text not null,
  labels jsonb not null,
  definition_sha256 text not null,
  status text not null check (status in ('proposed', 'allowed', 'asked', 'approved', 'denied', 'running', 'succeeded', 'failed', 'unknown', 'cancelled')),
  decision jsonb,
  result jsonb,
  created_at timestamptz not null default clock_timestamp(),
  unique (incident_id, cycle, attempt, ordinal)
);

create table intent (
  action_id text primary key references action (id),
  target text not null,
  sent_at timestamptz not null default clock_timestamp(),
  outcome text check (outcome in ('succeeded', 'failed', 'unknown')),
  result jsonb,
  finished_at timestamptz
);

create index intent_by_target on intent (target, sent_at);

create table approval (
  id text primary key,
  incident_id bigint not null references incident (id),
  action_id text not null references action (id),
  digest text not null,
  subject jsonb not null,
  required integer not null check (required between 1 and 2),
  status text not null check (status in ('pending', 'approved', 'denied', 'expired', 'superseded')),
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  decided_at timestamptz
);

create unique index approval_pending_by_action on approval (action_id) where status = 'pending';

create table approval_vote (
  approval_id text not null references approval (id),
  principal text not null,
  decision text not null check (decision in ('approve', 'deny')),
  reason text not null,
  via text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (approval_id, principal)
);

create table token (
  id bigint generated always as identity primary key,
  name text not null unique,
  role text not null check (role in ('viewer', 'approver', 'admin')),
  sha256 text not null unique,
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz
);

create table outbox (
  id bigint generated always as identity primary key,
  incident_id bigint not null references incident (id),
  kind text not null,
  message jsonb not null,
  attempts integer not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  sent_at timestamptz,
  last_error text,
  created_at timestamptz not null default clock_timestamp()
);

create index outbox_due on outbox (due_at) where sent_at is null;

create table runbook (
  id bigint generated always as identity primary key,
  path text not null unique,
  title text not null,
  sha256 text not null,
  embedder text not null,
  front_matter jsonb,
  problems jsonb not null,
  body text not null,
  indexed_at timestamptz not null default clock_timestamp()
);

create table chunk (
  id bigint generated always as identity primary key,
  runbook_id bigint not null references runbook (id) on delete cascade,
  ordinal integer not null,
  breadcrumb text not null,
  content text not null,
  start_line integer not null,
  end_line integer not null,
  embedding vector(512) not null,
  search tsvector not null
);

create index chunk_by_runbook on chunk (runbook_id);

create index chunk_search on chunk using gin (search);

create index chunk_embedding on chunk using hnsw (embedding vector_cosine_ops);

create table past_incident (
  incident_id bigint not null references incident (id),
  cycle integer not null,
  title text not null,
  summary text not null,
  labels jsonb not null,
  remedies jsonb not null,
  embedding vector(512) not null,
  search tsvector not null,
  closed_at timestamptz not null default clock_timestamp(),
  primary key (incident_id, cycle)
);

create index past_incident_search on past_incident using gin (search);

create index past_incident_embedding on past_incident using hnsw (embedding vector_cosine_ops);
