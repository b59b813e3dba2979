-- When an incident was last handed to people without having been begun, because too many waited.
alter table incident add column shed_at timestamptz;

create index incident_shed on incident (shed_at) where shed_at is not null;

-- The newest of these says whether people have been told of an overload, and when.
create index outbox_overload on outbox (id) where kind in ('overloaded', 'overload_over');
