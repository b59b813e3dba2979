-- An incident is over where closed_at is set. What changes with every step of it stands in no index and in no condition of one, and
-- pages keep room for the next version, so that a step writes the row alone (heap-only tuples).
update incident set closed_at = updated_at where state in ('resolved', 'stopped') and closed_at is null;

update incident set closed_at = null where state not in ('resolved', 'stopped') and closed_at is not null;

alter table incident add constraint incident_closed check ((closed_at is not null) = (state in ('resolved', 'stopped')));

drop index incident_open_by_key;

create unique index incident_open_by_key on incident (correlation_key) where closed_at is null;

drop index incident_open_lately;

create index incident_open_lately on incident (opened_at) where closed_at is null;

alter table incident set (fillfactor = 50);
