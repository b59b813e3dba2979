-- What stands for a secret in texts for models is an HMAC with this key, so that all replicas write the same after every start.
alter table installation
  add column placeholder_key bytea not null
    default sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));

-- What a model says of a diagnosis and its outcome afterwards: at most once for each time that an incident was over.
create table model_score (
  incident_id bigint not null references incident (id),
  cycle integer not null,
  status text not null check (status in ('asking', 'scored', 'given_up')),
  -- How often a model was asked.
  attempts integer not null default 0,
  -- Nobody else asks before; whoever asked and did not come back by then is gone.
  due_at timestamptz not null,
  -- The models whose work it is.
  judged jsonb not null,
  model text,
  cause double precision check (cause between 0 and 1),
  grounded double precision check (grounded between 0 and 1),
  outcome double precision check (outcome between 0 and 1),
  -- The reasons, or why nobody scored it.
  reason text not null default '',
  cost_usd double precision,
  scored_at timestamptz,
  -- Sending it to Langfuse: null where it is not to be sent, or was.
  send_due_at timestamptz,
  send_attempts integer not null default 0,
  sent_at timestamptz,
  send_problem text,
  primary key (incident_id, cycle),
  check (status <> 'scored' or (model is not null and cause is not null and grounded is not null and outcome is not null))
);

create index model_score_due on model_score (due_at) where status = 'asking';

create index model_score_to_send on model_score (send_due_at) where send_due_at is not null;
