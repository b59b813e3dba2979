import { sql } from 'kysely';
import { type Labels, labelsSchema } from '../alert/index.ts';
import { type Database, json } from '../database/index.ts';
import type { Embedder } from './embed.ts';
import { fuse, type Query, queryText } from './query.ts';
import { searchQuery, searchVector } from './search-text.ts';
import { vector } from './store.ts';

/** What is kept of a closed incident. */
export interface RememberedIncident {
  readonly incidentId: number;
  readonly cycle: number;
  readonly title: string;
  readonly summary: string;
  readonly labels: Labels;
  /** What was done and what came of it, as JSON. */
  readonly remedies: unknown;
}

/** A past incident that resembles the present one. */
export interface PastIncident {
  readonly incidentId: number;
  readonly title: string;
  readonly summary: string;
  readonly labels: Labels;
  readonly remedies: unknown;
  readonly closedAt: Date;
  /** How well it fits, 0 to 1; 1 is first by words and by vector. */
  readonly score: number;
}

interface Row {
  incident_id: number;
  title: string;
  summary: string;
  labels: unknown;
  remedies: unknown;
  closed_at: Date;
  similarity: number | null;
  same_alert: boolean;
  words: number | null;
  near: number | null;
  rating: number;
}

const CANDIDATES = 50;
/** In characters; every retrieval reads the summaries of its candidates, so one that is huge would slow all of them down. */
const SUMMARY_MAX = 16 * 1024;
const TITLE_MAX = 1024;
/** What remains of the score of one that people found unhelpful. */
const DISLIKED = 0.5;

/** Remembers a closed incident, or what is now known better of it, its summary cut to 16,384 characters; joins the transaction it is called in. */
export async function rememberIncident(db: Database, incident: RememberedIncident, embedder: Embedder): Promise<void> {
  const { incidentId, cycle, labels } = incident;
  const title = storable(incident.title, TITLE_MAX);
  const summary = storable(incident.summary, SUMMARY_MAX);
  const values = Object.values(labels).join('\n');
  const [embedding = []] = await embedder.embed([[title, values, summary].join('\n')]);
  const row = {
    title,
    summary,
    labels: json(labels),
    remedies: json(incident.remedies ?? null),
    embedding: vector(embedding),
    search: searchVector([
      ['A', title],
      ['B', values],
      ['D', summary],
    ]),
  };
  await db.q
    .insertInto('past_incident')
    .values({ incident_id: incidentId, cycle, ...row })
    .onConflict((conflict) => conflict.columns(['incident_id', 'cycle']).doUpdateSet(row))
    .execute();
}

/**
 * Finds closed incidents that resemble the present one, best first, each once. One of the same alert name always counts;
 * any other only when its vector is related (`Embedder.relatedFrom`). One round trip to the database.
 */
export async function retrievePastIncidents(
  db: Database,
  query: Query & { readonly excludeIncidentId?: number },
): Promise<PastIncident[]> {
  const { labelSets, all } = queryText(query);
  const [embedding = []] = await query.embedder.embed([all]);
  const asked = vector(embedding);
  // Label values are part of what was remembered, so they are part of what is asked.
  const words = searchQuery(all);
  const names = labelSets.flatMap(({ alertname }) => alertname ?? []);
  const sameAlert = sql`labels ->> 'alertname' in (select jsonb_array_elements_text(${JSON.stringify(names)}::jsonb))`;
  const other = sql`incident_id <> ${query.excludeIncidentId ?? 0}`;
  const { rows } = await sql<Row>`
    with words as (
      select incident_id, cycle, row_number() over (order by ts_rank(search, ${words}) desc, incident_id desc, cycle desc) as place
      from past_incident where search @@ ${words} and ${other} order by place limit ${CANDIDATES}
    ), nearest as (
      select incident_id, cycle, embedding <=> ${asked} as distance
      from past_incident where ${other} order by embedding <=> ${asked} limit ${CANDIDATES}
    ), near as (
      select incident_id, cycle, row_number() over (order by distance, incident_id desc, cycle desc) as place from nearest
    )
    select p.incident_id, p.title, p.summary, p.labels, p.remedies, p.closed_at, p.rating, 1 - (p.embedding <=> ${asked}) as similarity,
      ${sameAlert} as same_alert, words.place::integer as words, near.place::integer as near
    from words full join near using (incident_id, cycle)
    join past_incident as p using (incident_id, cycle)`.execute(db.q);
  const found = rows
    // A query without words has no similarity: NaN, which no comparison lets through.
    .filter((row) => row.same_alert || (row.similarity !== null && row.similarity >= query.embedder.relatedFrom))
    .map((row) => ({ row, score: fuse(row.words, row.near) * (row.rating < 0 ? DISLIKED : 1) }))
    .sort((a, b) => b.score - a.score || b.row.incident_id - a.row.incident_id);
  const best = new Map(found.toReversed().map((candidate) => [candidate.row.incident_id, candidate]));
  return [...best.values()]
    .toReversed()
    .slice(0, query.limit)
    .map(({ row, score }) => ({
      incidentId: row.incident_id,
      title: row.title,
      summary: row.rating < 0 ? `${row.summary}\nPeople said afterwards that this did not help.` : row.summary,
      labels: labelsSchema.parse(row.labels),
      remedies: row.remedies,
      closedAt: row.closed_at,
      score,
    }));
}

/** Keeps what people said of an incident afterwards: helpful less unhelpful. */
export async function ratePastIncident(
  db: Database,
  { incidentId, cycle, rating }: { incidentId: number; cycle: number; rating: number },
): Promise<void> {
  await db.q
    .updateTable('past_incident')
    .set({ rating })
    .where('incident_id', '=', incidentId)
    .where('cycle', '=', cycle)
    .execute();
}

/** Postgres holds neither NUL characters nor lone surrogates. */
function storable(text: string, max: number): string {
  return text.slice(0, max).replaceAll('\0', '\uFFFD').toWellFormed();
}
