-- What made vectors. One serves searches; one is wanted, and takes over once everything has its vectors. A slot is a place in the
-- tables of vectors: there are two, so that one can be filled while the other serves.
create table embedder (
  name text primary key,
  -- How many numbers its vectors have; null until it has answered once.
  dimensions integer check (dimensions between 1 and 4000),
  -- How many are stored: the next of the widths that have indexes. The rest are zeros, which no cosine notices.
  width smallint,
  slot smallint unique check (slot in (0, 1)),
  serving boolean not null default false,
  wanted boolean not null default false,
  -- The process that embeds with it now, and until when it may be taken for alive.
  worker text,
  worker_until timestamptz,
  check ((slot is null) = (width is null) and (slot is null) = (dimensions is null)),
  check (slot is not null or not serving)
);

create unique index embedder_serving on embedder (serving) where serving;

create unique index embedder_wanted on embedder (wanted) where wanted;

insert into embedder (name, dimensions, width, slot, serving, wanted) values ('hash-512-1', 512, 512, 0, true, true);

create table chunk_vector (
  slot smallint not null,
  width smallint not null,
  runbook_id bigint not null,
  chunk_id bigint not null references chunk (id) on delete cascade,
  embedding vector not null,
  primary key (slot, runbook_id, chunk_id)
);

create index chunk_vector_by_chunk on chunk_vector (chunk_id);

create table past_incident_vector (
  slot smallint not null,
  width smallint not null,
  incident_id bigint not null,
  cycle integer not null,
  embedding vector not null,
  primary key (slot, incident_id, cycle),
  foreign key (incident_id, cycle) references past_incident (incident_id, cycle) on delete cascade
);

-- Beside the row as long as it fits there: reading a vector from elsewhere costs more than comparing it, and the planner does not know.
alter table chunk_vector alter column embedding set storage main;

alter table past_incident_vector alter column embedding set storage main;

-- Indexes need a width. They stand ready, because the application may not make any: pgvector indexes 2,000 numbers at most,
-- and 4,000 of half the precision.
do $$
declare
  kept text;
  place integer;
  width integer;
  kind text;
begin
  foreach kept in array array['chunk_vector', 'past_incident_vector'] loop
    for place in 0..1 loop
      foreach width in array array[512, 1024, 1536, 3072, 4000] loop
        kind := case when width > 2000 then 'halfvec' else 'vector' end;
        execute format('create index %1$s_%2$s_%3$s on %1$s using hnsw ((embedding::%4$s(%3$s)) %4$s_cosine_ops) where slot = %2$s and width = %3$s',
          kept, place, width, kind);
      end loop;
    end loop;
  end loop;
end $$;

insert into past_incident_vector (slot, width, incident_id, cycle, embedding) select 0, 512, incident_id, cycle, embedding from past_incident;

drop index past_incident_embedding;

alter table past_incident drop column embedding;

drop index chunk_embedding;

alter table chunk drop column embedding,
  -- Of the text that is embedded, so that a passage keeps its vectors when its runbook changes elsewhere.
  add column text_sha256 text not null default '';

-- Now it names the way of parsing only; every runbook is read once more, and gets its vectors then.
alter table runbook rename column embedder to indexer;
