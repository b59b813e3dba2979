-- Ids are handed out before their transactions commit; whoever follows the events goes by (tx, id), past what is still under way.
alter table event add column tx xid8 not null default pg_current_xact_id();

create index event_by_tx on event (tx, id);

alter table incident
  add column parent_id bigint references incident (id),
  add column kept_apart boolean not null default false,
  add column service text,
  add column started_at timestamptz,
  add column reopened_at timestamptz;

update incident set started_at = opened_at;

alter table incident
  alter column started_at set default clock_timestamp(),
  alter column started_at set not null;

create index incident_by_parent on incident (parent_id) where parent_id is not null;

create index incident_open_lately on incident (opened_at) where state not in ('resolved', 'stopped');

alter table delivery add column event_id text;

create unique index delivery_by_event on delivery (source, event_id) where event_id is not null;

create table maintenance (
  id text not null,
  origin text not null,
  matchers jsonb not null,
  reason text not null,
  made_by text not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  -- The Alertmanagers of one cluster share the ids of their silences.
  primary key (origin, id)
);

create index maintenance_by_end on maintenance (ends_at);
