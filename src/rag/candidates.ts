import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import type { Point } from './embed-space.ts';
import { askedNames, askedTerms, askedUrls, type Query, queryText, type Signal } from './query.ts';
import { influenceOf, ofRunbook, type RecordRow, recordQuery } from './remedy-record.ts';
import { pathsOfUrl } from './runbook-url.ts';
import { mayMatch } from './store.ts';

/** The share of what the alert says from which a runbook counts as one for it; docs/retrieval.md shows what that keeps and claims. */
export const FITS_FROM = 0.6;
/** How many entries of the inverted index are read at most; common words, which would take more, are looked up afterwards. */
const POSTINGS_MAX = 1000;
const BY_WORDS = 12;
const NEAREST_CHUNKS = 10;
const BY_NAME = 5;
/** As many as can be shown; whoever floods the index with texts for machines takes no place from another. */
const FLAGGED_BY_WORDS = 5;
/** What a word of the runbook's name counts when the alert says it; when it does not, all of it counts against the runbook. */
const NAME_WEIGHT = 0.5;
const VECTOR_WEIGHT = 0.25;
const SERVICE_BOOST = 1.25;

/** A passage that may fit, as it is read. */
export interface Row extends RecordRow {
  path: string;
  title: string;
  front_matter: unknown;
  repository: string | null;
  git_commit: string | null;
  repository_path: string | null;
  breadcrumb: string;
  content: string;
  start_line: number;
  end_line: number;
  relevance: number;
  similarity: number | null;
  said: number;
  named: boolean;
  service: boolean;
  words: number | null;
  near: number | null;
  alike: number | null;
  flags: unknown;
  space: string;
}

/** Reads what may be a runbook for an alert, with every signal, in one statement; what declares itself for it by matchers is always among it. */
export async function candidates(db: Database, query: Query, point: Point): Promise<Row[]> {
  const { labelSets } = queryText(query);
  const terms = askedTerms(query);
  const urls = askedUrls(query);
  const services = labelSets.flatMap(({ service }) => service ?? []);
  const names = labelSets.flatMap(({ alertname }) => alertname ?? []);
  const { relatedFrom, distance } = point;
  const on = (signal: Signal) => !query.without?.includes(signal);
  const rarity = on('rarity')
    ? sql`ln(1 + (total.runbooks - coalesce(t.runbooks, 0) + 0.5) / (coalesce(t.runbooks, 0) + 0.5))`
    : sql`1`;
  // Materialized part by part: planned as one whole, it takes a fifth longer to plan.
  const { rows } = await sql<Row>`
    with point as materialized (
      select ${point.place} as place
    ), total as (
      select coalesce(max(runbooks), 0) as runbooks from term where term = ''
    ), asked as materialized (
      select a.term, a.word, coalesce(t.runbooks, 0) as runbooks, a.weight * ${rarity} as weight
      from jsonb_to_recordset(${JSON.stringify(terms)}::jsonb) as a (term text, weight double precision, word boolean)
      cross join total left join lateral (select runbooks from term where term = a.term offset 0) as t on true
    ), mass as materialized (
      select sum(weight) as weight from asked where word or runbooks > 0
    ), split as materialized (
      select term, weight, sum(runbooks) over (order by runbooks, term) <= ${POSTINGS_MAX} or row_number() over (order by runbooks, term) = 1 as rare
      from asked where runbooks > 0
    ), hit as materialized (
      select p.runbook_id, sum(split.weight * p.weight) as weight
      from split cross join lateral (select runbook_id, weight from posting where term = split.term offset 0) as p
      where rare group by p.runbook_id
    ), suspect as materialized (
      select id from runbook where ${on('flags') ? sql`flags <> '[]'` : sql`false`}
    ), words as materialized (
      select runbook_id, row_number() over (order by weight desc, runbook_id) as place
      from (
        (select * from hit where runbook_id not in (select id from suspect) order by weight desc, runbook_id limit ${BY_WORDS})
        union all (select * from hit where runbook_id in (select id from suspect) order by weight desc, runbook_id limit ${FLAGGED_BY_WORDS})
      ) as best
    ), near as materialized (
      select runbook_id, row_number() over (order by min(distance), runbook_id) as place
      from (select runbook_id, ${distance} as distance from chunk_vector where ${point.comparable} order by ${distance} limit ${NEAREST_CHUNKS}) as nearest
      group by runbook_id
    ), alike as materialized (
      select id as runbook_id, max(similarity(name_key, name)) as similarity,
        row_number() over (order by id in (select id from suspect), max(similarity(name_key, name)) desc, id) as place
      from jsonb_array_elements_text(${JSON.stringify(askedNames(query))}::jsonb) as name join runbook on name_key % name
      group by id order by place limit ${BY_NAME}
    ), candidate as materialized (
      select runbook_id, max(words) as words, max(near) as near, max(alike) as alike, max(similarity) as resembles, bool_or(declares) as declares, bool_or(shown) as shown
      from (
        select runbook_id, place as words, null::bigint as near, null::bigint as alike, null::real as similarity, false as declares, false as shown from words
        union all select runbook_id, null, place, null, null, false, false from near
        union all select runbook_id, null, null, place, similarity, false, false from alike
        union all select id, null, null, null, null, true, false from runbook as r where ${mayMatch(labelSets)}
        union all select id, null, null, null, null, false, true from runbook
          where repository_path in (select jsonb_array_elements_text(${JSON.stringify(urls.flatMap(pathsOfUrl))}::jsonb))
      ) as every group by runbook_id
    ), judged as materialized (
      select candidate.*, r.path, r.title, r.flags, record.*, r.front_matter, r.repository, r.git_commit, r.repository_path, best.chunk_id, best.similarity,
        coalesce(name.said, 0) as said, coalesce(name.rarity, 0) as rarity,
        ${on('equal-name') ? sql`coalesce(resembles = 1, false)` : sql`false`} as named,
        coalesce(r.front_matter ->> 'service' in (select jsonb_array_elements_text(${JSON.stringify(services)}::jsonb)), false) as service,
        coalesce(hit.weight, 0) + coalesce(common.weight, 0) as covered, mass.weight as mass
      from candidate cross join mass
      cross join lateral (select * from runbook where id = candidate.runbook_id offset 0) as r
      left join hit on hit.runbook_id = candidate.runbook_id
      cross join lateral (
        select sum(split.weight * p.weight) as weight
        from split cross join lateral (select weight from posting where term = split.term and runbook_id = candidate.runbook_id offset 0) as p
        where not rare
      ) as common
      cross join lateral (
        select sum(rarity) filter (where word in (select term from asked)) / sum(rarity) as said, sum(rarity) as rarity
        from (
          select word, ln(1 + total.runbooks / coalesce(t.runbooks, 1)::double precision) as rarity
          from unnest(r.name_words) as word cross join total left join term as t on t.term = word
        ) as rated
      ) as name
      cross join lateral (
        select coalesce(nearest.chunk_id, first.id) as chunk_id, nearest.similarity
        from (select id from chunk where runbook_id = candidate.runbook_id order by ordinal limit 1) as first
        left join lateral (
          select chunk_id, 1 - ${distance} as similarity from chunk_vector
          where ${point.comparable} and runbook_id = candidate.runbook_id order by ${distance}, chunk_id limit 1
        ) as nearest on true
      ) as best
      cross join lateral (${recordQuery(ofRunbook(names))}) as record
    ), named as materialized (
      select *, ${on('said-name') ? sql`greatest(said, ${on('similar-name') ? sql`resembles` : sql`0`})` : sql`0`} as told,
        ${on('said-name') ? sql`rarity` : sql`0`} as telling
      from judged
    ), scored as materialized (
      select *, coalesce((covered + ${NAME_WEIGHT}::double precision * telling * told) / (mass + telling * (1 - told)), 0)
          * case when service then ${SERVICE_BOOST}::double precision else 1 end
        -- A query without words has no similarity: NaN, which Postgres takes for the greatest number.
        + ${on('vector') ? VECTOR_WEIGHT : 0}::double precision
          * greatest(0, (coalesce(nullif(similarity, 'NaN'), 0) - ${relatedFrom}::double precision) / (1 - ${relatedFrom}::double precision)) as relevance
      from named
    ), placed as materialized (
      -- In the order in which they are shown, so that what is shown last takes no place from what fits.
      select *, row_number() over (
        order by (named or relevance >= ${FITS_FROM}::double precision) desc, ${on('flags') ? sql`flags <> '[]'` : sql`false`},
          named desc, relevance * ${on('record') ? influenceOf(sql`rate`) : sql`1`} desc, runbook_id) as place
      from scored
    )
    select path, title, front_matter, repository, git_commit, repository_path, breadcrumb, content, start_line, end_line, relevance, said, similarity, named, service,
      words::integer, near::integer, alike::integer, flags, tried, healed, tries, rate, last, ${point.space} as space
    from placed join chunk on chunk.id = placed.chunk_id
    where place <= ${query.limit} or declares or shown
    order by place`.execute(db.q);
  return rows;
}
