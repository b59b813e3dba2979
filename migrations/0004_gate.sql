-- What a person asked for by hand, what a look before it found, what it was judged by, and what came of it.
alter table action add column requested_by text;

alter table action add column inspection jsonb;

alter table action add column questions jsonb;

alter table action add column effect text check (effect in ('healed', 'unchanged', 'worse', 'unknown'));

create index intent_by_time on intent (sent_at);

-- A yes is good for one send.
alter table approval add column used_at timestamptz;

alter table approval drop constraint approval_required_check;

alter table approval add constraint approval_required_check check (required between 1 and 5);

create index action_record on action (tool, (labels ->> 'alertname')) where effect is not null;

-- What people said of it afterwards: helpful less unhelpful.
alter table past_incident add column rating integer not null default 0;

-- Until then the toolset may still be working on the target, whatever became of who asked for it.
alter table intent add column busy_until timestamptz not null default clock_timestamp();
