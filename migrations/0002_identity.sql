-- A token belongs to a person, who may have several: what people decide counts by person.
alter table token add column person text;

-- Replicas keep each their own administrator's token; it is one person all the same.
update token set person = case when role = 'admin' and name ~ '^admin-[0-9a-f]{6}$' then 'admin' else name end;

alter table token alter column person set not null;

alter table token add column last_used_at timestamptz;

-- One row. Who asked for the release stands in it until it is released, or engaged again.
create table kill_switch (
  id boolean primary key default true check (id),
  engaged boolean not null,
  reason text not null,
  by text not null,
  via text not null,
  at timestamptz not null default clock_timestamp(),
  release_votes text[] not null default '{}'
);

insert into kill_switch (engaged, reason, by, via) values (false, '', 'nightshift', 'migration');
