-- Each row seals a batch of events: their ids, the SHA-256 of each in the order of the ids, and the seal before it.
create table seal (
  id bigint primary key,
  covered int8multirange not null,
  event_sha256 bytea not null,
  previous_sha256 text not null,
  at timestamptz not null,
  sha256 text not null unique
);

create trigger seal_append_only before update or delete on seal for each row execute function refuse_change();

create trigger seal_kept before truncate on seal for each statement execute function refuse_change();

create trigger event_kept before truncate on event for each statement execute function refuse_change();

-- The job queue's tables go here; the role that the application takes on may create no schema.
create schema if not exists pgboss;
