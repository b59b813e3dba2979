-- What retention looks for: what is over, what belongs to nothing, and what refers to a row that is about to go.
create index incident_closed on incident (closed_at, id) where closed_at is not null;

create index alert_of_nothing on alert (id) where incident_id is null;

create index approval_by_incident on approval (incident_id);

create index approval_by_action on approval (action_id);

create index past_incident_by_time on past_incident (closed_at);

create index remedy_outcome_by_time on remedy_outcome (at);

create index action_by_undone on action (undo_of) where undo_of is not null;

-- What was learned is kept longer than the incident that taught it.
alter table past_incident drop constraint past_incident_incident_id_fkey;

alter table remedy_outcome drop constraint remedy_outcome_incident_id_fkey;

-- Each says with its hash up to which seal the audit was given up; it is an event, and sealed, like any other.
create index event_pruned on event (id) where type = 'audit.pruned' and incident_id is null;

-- The audit stays append-only, but for its oldest part, and that only once a sealed event says so. The rules stand in triggers, so that
-- they hold for whoever deletes, the tables' owner too. Names are looked up where the tables are, never among a session's own.
do $$
declare
  home text := quote_ident((select relnamespace::regnamespace::text from pg_class where oid = 'event'::regclass));
  place text := format('set search_path = pg_catalog, %s, pg_temp', home);
begin
  execute format($function$
create function audit_given_up() returns bigint language sql stable %s as $body$
  select max(s.id) from event c join seal s on s.sha256 = c.data ->> 'sha256'
  where c.type = 'audit.pruned' and c.incident_id is null and s.at < c.at - interval '30 days'
    and exists (select from (select id, covered from seal order by id desc limit 5000) z where z.id > s.id and z.covered @> c.id)
$body$
  $function$, place);
  execute format($function$
create function refuse_unpruned() returns trigger language plpgsql %s as $body$
declare
  given_up bigint := audit_given_up();
begin
  if tg_table_name = 'event' then
    if exists (select from gone where at > clock_timestamp() - interval '30 days') then
      raise exception 'table event is append-only: what is younger than 30 days stays' using errcode = 'insufficient_privilege';
    end if;
    if exists (select from gone) and not coalesce((select bool_and(lowest.covered @> gone.id) from gone, (
      select range_agg(covered) as covered from (select covered from seal where id <= given_up order by id limit 500) first) lowest), false) then
      raise exception 'table event is append-only: only the oldest part goes, and only once a sealed audit.pruned names its last seal'
        using errcode = 'insufficient_privilege';
    end if;
  else
    -- It is null too where the seal that the word names is among what goes.
    if exists (select from gone where given_up is null or at > clock_timestamp() - interval '30 days')
      or exists (select from seal where id < (select max(id) from gone)) then
      raise exception 'table seal is append-only: only the oldest part goes, and only once a sealed audit.pruned names its last seal'
        using errcode = 'insufficient_privilege';
    end if;
    if exists (select from gone, unnest(gone.covered) part, event e where e.id >= lower(part) and e.id < upper(part)) then
      raise exception 'table seal is append-only: what it covers is still there' using errcode = 'insufficient_privilege';
    end if;
  end if;
  return null;
end $body$
  $function$, place);
  execute format($function$
create function prune_audit(most integer, out events integer, out seals integer) language plpgsql security definer %s as $body$
declare
  given_up bigint := audit_given_up();
  part int8multirange;
begin
  events := 0;
  seals := 0;
  if given_up is null then return; end if;
  most := least(greatest(most, 1), 500);
  select range_agg(covered) into part from (
    select covered, sum(octet_length(event_sha256) / 32) over (order by id) - octet_length(event_sha256) / 32 as before
    from (select id, covered, event_sha256 from seal where id <= given_up order by id limit most) first) counted
    where before < most;
  with old as (
    select e.id from unnest(part) as range cross join lateral (
      select id from event where id >= lower(range) and id < upper(range) order by id limit most) e
    order by e.id limit most
  ), done as (delete from event where id in (select id from old) returning 1)
    select count(*) into events from done;
  with emptied as (
    select id from (
      select s.id, bool_or(left_over.there) over (order by s.id) as stays
      from (select id, covered from seal where id < given_up order by id limit most) s
      cross join lateral (select exists (
        select from unnest(s.covered) range, event e where e.id >= lower(range) and e.id < upper(range)) as there) left_over) looked
    where not stays
  ), done as (delete from seal where id in (select id from emptied) returning 1)
    select count(*) into seals from done;
end $body$
  $function$, place);
end $$;

revoke execute on function prune_audit(integer) from public;

drop trigger event_append_only on event;

create trigger event_append_only before update on event for each row execute function refuse_change();

create trigger event_prefix_only after delete on event referencing old table as gone
  for each statement execute function refuse_unpruned();

drop trigger seal_append_only on seal;

create trigger seal_append_only before update on seal for each row execute function refuse_change();

create trigger seal_prefix_only after delete on seal referencing old table as gone
  for each statement execute function refuse_unpruned();
