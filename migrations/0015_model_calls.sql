-- Every question that was sent to a model, those that failed too. What it belongs to may be gone: the money was spent all the same.
create table model_call (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  incident_id bigint,
  role text not null,
  -- As the configuration calls it.
  model text not null,
  -- [{"prompt": NAME@VERSION, "sha256": …}], of the files; the whole that was sent has the hash beside it.
  prompts jsonb not null,
  prompt_sha256 text not null,
  -- Of all that decides what is asked: role, prompts, messages, tools and the form of the answer.
  question_sha256 text not null,
  outcome text not null,
  error text,
  degraded text,
  -- Null where the provider did not say.
  input_tokens integer,
  cached_tokens integer,
  output_tokens integer,
  cost_usd numeric(14, 8),
  -- Of the list of prices; null where the configuration gives the price, or nobody knows one.
  price_date date,
  latency_ms integer not null,
  -- Without secrets, as they were sent and as they came back.
  request jsonb not null,
  answer jsonb
);

create index model_call_by_incident on model_call (incident_id, id) where incident_id is not null;

create index model_call_by_question on model_call (question_sha256, id) where answer is not null;

-- Counters, so that a ceiling is a look at three rows. A scope is day, role:ROLE or incident:ID; days are those of UTC.
create table model_spending (
  scope text not null,
  day date not null,
  usd numeric(16, 8) not null,
  tokens bigint not null,
  calls bigint not null,
  primary key (scope, day)
);
