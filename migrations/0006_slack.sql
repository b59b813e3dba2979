-- Slack shows what is stored: one thread for an incident, one row for each message in it.
create table slack_channel (
  channel text primary key,
  -- Part of what marks a message as ours, since two installations may share a channel.
  installation uuid not null default gen_random_uuid(),
  connected_at timestamptz not null default clock_timestamp(),
  next_send_at timestamptz not null default clock_timestamp()
);

create table slack_thread (
  incident_id bigint primary key references incident (id),
  channel text not null references slack_channel (channel),
  -- The incident's version and the number of its events that the messages show.
  shows text,
  closed boolean not null default false,
  look_again_at timestamptz
);

create table slack_message (
  id bigint generated always as identity primary key,
  incident_id bigint not null references slack_thread (incident_id),
  purpose text not null,
  channel text not null references slack_channel (channel),
  ts text,
  wanted jsonb not null,
  wanted_sha256 text not null,
  wanted_at timestamptz not null default clock_timestamp(),
  content_sha256 text,
  urgent boolean not null,
  attempts integer not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  sending_since timestamptz,
  last_error text,
  created_at timestamptz not null default clock_timestamp(),
  unique (incident_id, purpose)
);

create index slack_message_due on slack_message (due_at) where content_sha256 is distinct from wanted_sha256;

create index slack_message_cards on slack_message (channel, created_at) where purpose like 'card:%';

create index slack_message_roots on slack_message (channel, ts) where purpose = 'root';
