create extension if not exists pg_trgm;

alter table runbook
  -- The words of the file's name and of its title: what the runbook says it is about.
  add column name_words text[] not null default '{}',
  -- The same names without a gap, by which identifiers are compared that differ in a few letters.
  add column name_key text not null default '';

create index runbook_name_key on runbook using gin (name_key gin_trgm_ops);

-- Most runbooks declare nothing; those that do are looked through at every alert.
create index runbook_declaring on runbook (id) where front_matter is not null;

-- The inverted index. Postgres's own ranking of full text knows no document frequencies, and those decide here.
create table posting (
  term text not null,
  runbook_id bigint not null references runbook (id) on delete cascade,
  -- The BM25 factor of the term in this runbook, 0 to 2.2.
  weight real not null,
  primary key (term, runbook_id) include (weight)
);

create index posting_by_runbook on posting (runbook_id);

-- In how many runbooks a term occurs; the empty term stands in every one, so its row counts the runbooks.
create table term (
  term text primary key,
  runbooks integer not null
);

-- In the order of the terms, so that two who index at once cannot wait for each other; by the key alone, since a join of that many
-- terms without statistics may be planned as every one with every other.
create function count_terms() returns trigger language plpgsql as $$ begin
  insert into term (term, runbooks)
    select term, count(*) * case when tg_op = 'INSERT' then 1 else -1 end from changed group by term order by term
    on conflict (term) do update set runbooks = term.runbooks + excluded.runbooks;
  return null;
end $$;

create trigger posting_came after insert on posting referencing new table as changed
  for each statement execute function count_terms();

create trigger posting_went after delete on posting referencing old table as changed
  for each statement execute function count_terms();

-- Replaced by the inverted index.
drop index chunk_search;

alter table chunk drop column search;
