-- Which Nightshift this is, in what it leaves in systems that several may write to.
create table installation (
  only_one boolean primary key default true check (only_one),
  id uuid not null default gen_random_uuid()
);

insert into installation default values;

-- Each way to people has its own row for each message, so that one that is down neither holds up nor repeats another.
create table outbox_delivery (
  outbox_id bigint not null references outbox (id),
  channel text not null,
  attempts integer not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  -- Set while it is not known whether an earlier send arrived.
  sending_since timestamptz,
  outcome text check (outcome in ('sent', 'unneeded', 'refused')),
  last_error text,
  ended_at timestamptz,
  primary key (outbox_id, channel)
);

create index outbox_delivery_due on outbox_delivery (channel, due_at) where outcome is null;

drop index outbox_due;

alter table outbox
  -- That nobody watches any more is about no incident.
  alter column incident_id drop not null,
  drop column attempts,
  drop column due_at,
  drop column last_error,
  add column routed_at timestamptz,
  -- When every way to people had failed.
  add column failed_at timestamptz;

create index outbox_unrouted on outbox (id) where routed_at is null and sent_at is null;

create index outbox_by_incident on outbox (incident_id);

-- What must be heard of again and again; whoever hears it writes when.
create table heartbeat (
  name text primary key,
  last_seen_at timestamptz,
  watched_since timestamptz not null default clock_timestamp(),
  -- Set while people have been told that it stopped.
  told_at timestamptz
);

create table pagerduty_source (
  source text primary key,
  connected_at timestamptz not null default clock_timestamp(),
  next_send_at timestamptz not null default clock_timestamp()
);

create table pagerduty_projection (
  incident_id bigint primary key references incident (id),
  -- The incident's version and the number of its events that were looked at.
  shows text not null
);

create table pagerduty_call (
  id bigint generated always as identity primary key,
  incident_id bigint not null references incident (id),
  source text not null references pagerduty_source (source),
  -- PagerDuty's own name of its incident.
  subject text not null,
  purpose text not null,
  kind text not null check (kind in ('acknowledge', 'note', 'escalate', 'resolve')),
  words text not null,
  -- Of an escalation, decided before it is sent: from which level to which.
  from_level integer,
  to_level integer,
  attempts integer not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  -- While it is being made, no other call about the same subject is.
  claimed_until timestamptz,
  -- Set while it is not known whether an earlier send arrived.
  sending_since timestamptz,
  outcome text check (outcome in ('done', 'found', 'unneeded', 'refused')),
  last_error text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  unique (source, subject, purpose)
);

create index pagerduty_call_due on pagerduty_call (source, due_at) where outcome is null;

create index pagerduty_call_claimed on pagerduty_call (source, subject) where claimed_until is not null;

create index pagerduty_call_by_incident on pagerduty_call (incident_id);
