import type pg from 'pg';

/**
 * Enlarges an index to about that many chunks, with no text of anybody's: each synthetic runbook has half of the terms and the
 * passages of two that are there, its vectors moved at random. What it says makes no sense, and its words are as common as theirs.
 */
export async function enlarge(client: pg.Client, chunks: number): Promise<void> {
  const run = (text: string, values: unknown[] = []) => client.query(text, values);
  const { rows } = await run('select count(*)::int as chunks, count(distinct runbook_id)::int as runbooks from chunk');
  const [{ chunks: have, runbooks }] = rows as [{ chunks: number; runbooks: number }];
  const copies = Math.max(0, Math.round(((chunks - have) / have) * runbooks));
  await run('set maintenance_work_mem = $$1GB$$');
  await run('alter table posting disable trigger user');
  await run('drop index if exists chunk_vector_0_512, runbook_name_key, posting_by_runbook');
  await run('alter table posting drop constraint if exists posting_pkey');
  await run(`create temp table source as select id, row_number() over (order by id) - 1 as n from runbook`);
  await run(
    `create temp table made as
      select m, a.id as a, b.id as b from generate_series(1, $1::int) as m
      join source as a on a.n = (m * 7) % $2 join source as b on b.n = (m * 11 + m / $2 + 1) % $2
      where a.id <> b.id`,
    [copies, runbooks],
  );
  await run(`alter table made add column id bigint`);
  await run(
    `with new as (
      insert into runbook (path, title, sha256, indexer, problems, body, name_words, name_key)
      select 'synthetic/' || m, a.title, '', a.indexer, '[]', '', array[a.name_words[1], b.name_words[array_length(b.name_words, 1)], 'synthetic' || m],
        left(a.name_key, 6) || right(b.name_key, 6) || m
      from made join runbook as a on a.id = made.a join runbook as b on b.id = made.b returning id, path
    ) update made set id = new.id from new where new.path = 'synthetic/' || m`,
  );
  await run(
    `insert into posting (term, runbook_id, weight)
      select term, half.id, max(weight)
      from (select m, id, a as half from made union all select m, id, b from made) as half join posting as p on p.runbook_id = half.half
      where term = '' or (hashtext(term)::bigint + half.m) % 2 = 0 group by term, half.id`,
  );
  await run(
    `create temp table passage as
      select made.id as runbook_id, row_number() over (partition by made.id) as ordinal, c.id as chunk_id
      from (select m, id, a as half from made union all select m, id, b from made) as made
      join chunk as c on c.runbook_id = made.half where (c.id + made.m) % 2 = 0`,
  );
  await run(
    `insert into chunk (runbook_id, ordinal, breadcrumb, content, start_line, end_line)
      select passage.runbook_id, passage.ordinal, breadcrumb, content, start_line, end_line
      from passage join chunk as c on c.id = passage.chunk_id`,
  );
  await run(
    `insert into chunk_vector (slot, width, runbook_id, chunk_id, embedding)
      select 0, 512, made.runbook_id, made.id,
        l2_normalize(embedding + (select array_agg((random() - 0.5) / 20) from generate_series(1, 512 + 0 * made.id))::vector)
      from passage join chunk as made using (runbook_id, ordinal) join chunk_vector as v on v.chunk_id = passage.chunk_id`,
  );
  await run('alter table posting add primary key (term, runbook_id) include (weight)');
  await run('create index posting_by_runbook on posting (runbook_id)');
  await run('create index runbook_name_key on runbook using gin (name_key gin_trgm_ops)');
  await run(`create index chunk_vector_0_512 on chunk_vector using hnsw ((embedding::vector(512)) vector_cosine_ops)
      where slot = 0 and width = 512`);
  await run('truncate term');
  await run('insert into term (term, runbooks) select term, count(*) from posting group by term');
  await run('alter table posting enable trigger user');
  await run('drop table made, source, passage');
  // What the floor asks: Postgres's own full text over the same passages.
  await run('drop table if exists floor');
  await run(
    `create table floor as select id, to_tsvector('simple', breadcrumb || ' ' || content) as search from chunk`,
  );
  await run('create index floor_search on floor using gin (search)');
  await run('drop table if exists floor_term');
  await run(`create table floor_term as select word, ndoc from ts_stat('select search from floor')`);
  await run('create index floor_term_word on floor_term (word)');
  await run('vacuum analyze');
}
