-- What came of each remedy that ran, for which alert: one row for each attempt, however many steps it had.
create table remedy_outcome (
  incident_id bigint not null references incident (id),
  cycle integer not null,
  attempt integer not null,
  alertname text not null,
  service text not null,
  -- Of the runbook that told it; null where a model did.
  runbook text,
  -- What that runbook told when it ran; whoever mends a runbook's steps does not carry on their record.
  steps_sha256 text,
  tool text not null,
  target text not null,
  outcome text not null check (outcome in ('healed', 'unchanged', 'worse', 'failed', 'unknown')),
  at timestamptz not null,
  primary key (incident_id, cycle, attempt, alertname)
);

create index remedy_outcome_record on remedy_outcome (alertname, runbook, at);

alter table runbook
  -- Text in it that talks to a machine, as [{line, reason}].
  add column flags jsonb not null default '[]',
  add column steps_sha256 text;

-- Few are; they are kept from crowding out the others in every search.
create index runbook_flagged on runbook (id) where flags <> '[]';
