import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { indexerOf } from './index-runbooks.ts';
import { fuse, type Query, queryText } from './query.ts';
import { searchQuery } from './search-text.ts';
import { bySpecificity, declarationOf, matchesAny, mayMatch, vector } from './store.ts';

/** A passage of a runbook that fits, with the lines to quote it by. */
export interface Found {
  readonly path: string;
  readonly title: string;
  readonly breadcrumb: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly content: string;
  /** How well it fits by words and vector, 0 to 1; 1 is first by both. */
  readonly score: number;
  /** Whether the runbook declares itself for these labels, and its rank, from 1, by full text and by vector. */
  readonly why: { readonly matched: boolean; readonly words: number | null; readonly vector: number | null };
}

interface Row {
  path: string;
  title: string;
  front_matter: unknown;
  breadcrumb: string;
  content: string;
  start_line: number;
  end_line: number;
  similarity: number | null;
  words: number | null;
  near: number | null;
}

const CANDIDATES = 50;
const NEAREST_CHUNKS = 100;

/**
 * Finds the passages that fit an alert, at most one for each runbook: first the runbooks whose own matchers hold, then those
 * that full text and vectors, fused by reciprocal rank, put first. Where neither a matcher holds nor the vectors are related
 * (`Embedder.relatedFrom`, an absolute measure, which ranks are not) nothing is returned. One round trip to the database.
 * @see https://doi.org/10.1145/1571941.1572114 (Cormack et al., reciprocal rank fusion)
 */
export async function retrieveRunbooks(db: Database, query: Query): Promise<Found[]> {
  const { labelSets, said, all } = queryText(query);
  const [embedding = []] = await query.embedder.embed([all]);
  const asked = vector(embedding);
  const words = searchQuery(said);
  const { rows } = await sql<Row>`
    with words as (
      select runbook_id, row_number() over (order by max(rank) desc, runbook_id) as place
      from (select runbook_id, ts_rank(search, ${words}) as rank from chunk where search @@ ${words}) as ranked
      group by runbook_id order by place limit ${CANDIDATES}
    ), near as (
      select runbook_id, row_number() over (order by min(distance), runbook_id) as place
      from (select runbook_id, embedding <=> ${asked} as distance from chunk order by embedding <=> ${asked} limit ${NEAREST_CHUNKS}) as nearest
      group by runbook_id order by place limit ${CANDIDATES}
    ), candidate as (
      select runbook_id from words union select runbook_id from near union select id from runbook as r where ${mayMatch(labelSets)}
    )
    select r.path, r.title, r.front_matter, best.breadcrumb, best.content, best.start_line, best.end_line,
      case when r.embedder = ${indexerOf(query.embedder)} then 1 - best.distance end as similarity,
      words.place::integer as words, near.place::integer as near
    from candidate
    join runbook as r on r.id = candidate.runbook_id
    join lateral (
      select *, embedding <=> ${asked} as distance from chunk
      where runbook_id = r.id order by embedding <=> ${asked}, ordinal limit 1
    ) as best on true
    left join words on words.runbook_id = r.id
    left join near on near.runbook_id = r.id
    order by r.path`.execute(db.q);
  return (
    rows
      .map((row) => ({ row, match: declarationOf(row.front_matter).match, score: fuse(row.words, row.near) }))
      .map((candidate) => ({ ...candidate, matched: matchesAny(candidate, labelSets) }))
      // A query without words has no similarity: NaN, which no comparison lets through.
      .filter(
        ({ row, matched }) => matched || (row.similarity !== null && row.similarity >= query.embedder.relatedFrom),
      )
      .sort(
        (a, b) => Number(b.matched) - Number(a.matched) || (a.matched ? bySpecificity(a, b) : 0) || b.score - a.score,
      )
      .slice(0, query.limit)
      .map(foundOf)
  );
}

function foundOf({ row, matched, score }: { row: Row; matched: boolean; score: number }): Found {
  return {
    path: row.path,
    title: row.title,
    breadcrumb: row.breadcrumb,
    startLine: row.start_line,
    endLine: row.end_line,
    content: row.content,
    score,
    why: { matched, words: row.words, vector: row.near },
  };
}
