import { sql } from 'kysely';
import { type Labels, labelsSchema } from '../alert/index.ts';
import { type Database, json } from '../database/index.ts';
import type { Embedder } from './embed.ts';
import { textOfIncident } from './embed-missing.ts';
import { askNear, embedderNamed, knownServing, stored } from './embed-space.ts';
import { askable, fuse, type Query, queryText } from './query.ts';
import {
  describeRecord,
  type RecordRow,
  type RemedyOutcome,
  type RemedyRecord,
  recordQuery,
  toRecord,
} from './remedy-record.ts';
import { searchQuery, searchVector } from './search-text.ts';

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

/** What came of a remedy then, and how it did with the same alert so far. */
export interface RatedOutcome extends Omit<RemedyOutcome, 'service'> {
  readonly record: RemedyRecord | null;
}

/** A past incident that resembles the present one. */
export interface PastIncident {
  readonly incidentId: number;
  readonly title: string;
  readonly summary: string;
  readonly labels: Labels;
  readonly remedies: unknown;
  readonly outcomes: readonly RatedOutcome[];
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
  outcomes: readonly OutcomeRow[];
  space: string;
}

interface OutcomeRow extends Omit<RecordRow, 'last'> {
  attempt: number;
  alertname: string;
  runbook: string | null;
  tool: string;
  target: string;
  outcome: RemedyOutcome['outcome'];
  at: string;
  last: string | null;
}

const CANDIDATES = 50;
/** In characters; every retrieval reads the summaries of its candidates, so one that is huge would slow all of them down. */
const SUMMARY_MAX = 16 * 1024;
const TITLE_MAX = 1024;
/** What remains of the score of one that people found unhelpful. */
const DISLIKED = 0.5;
/** What a remedy that healed adds to a score, and one that did not takes from it, as a share; less the longer ago it was. */
const WORKED = 0.1;
const HALF_LIFE_DAYS = 30;
const DAY_MS = 86_400_000;

/** Remembers a closed incident, or what is now known better of it, its summary cut to 16,384 characters; joins the transaction it is called in. */
export async function rememberIncident(db: Database, incident: RememberedIncident, embedder: Embedder): Promise<void> {
  const { incidentId, cycle, labels } = incident;
  const title = storable(incident.title, TITLE_MAX);
  const summary = storable(incident.summary, SUMMARY_MAX);
  const values = Object.values(labels).join('\n');
  const row = {
    title,
    summary,
    labels: json(labels),
    remedies: json(incident.remedies ?? null),
    search: searchVector([
      ['A', title],
      ['B', values],
      ['D', summary],
    ]),
  };
  await db.q
    // What it said before is not what it says now.
    .with('stale', (q) =>
      q.deleteFrom('past_incident_vector').where('incident_id', '=', incidentId).where('cycle', '=', cycle),
    )
    .insertInto('past_incident')
    .values({ incident_id: incidentId, cycle, ...row })
    .onConflict((conflict) => conflict.columns(['incident_id', 'cycle']).doUpdateSet(row))
    .execute();
  // A provider is not waited for: its vector is made in the background, and so is one for a space that this process does not know yet.
  const space = knownServing(db);
  const local = embedderNamed(space.name, embedder);
  if (!local?.isLocal) return;
  const [vector = []] = await local.embed([textOfIncident({ title, labels, summary })]);
  // Its place may be another embedder's by now.
  await sql`insert into past_incident_vector (slot, width, incident_id, cycle, embedding)
    select slot, width, ${incidentId}, ${cycle}, ${stored(vector, space)}::vector from embedder
    where name = ${space.name} and slot = ${space.slot} and width = ${space.width} for key share`.execute(db.q);
}

/**
 * Finds closed incidents that resemble the present one, best first, each once. One of the same alert name always counts;
 * any other only when its vector is related (`Embedder.relatedFrom`). One whose remedy healed it stands above those whose did not. One
 * round trip to the database.
 */
export async function retrievePastIncidents(
  db: Database,
  posed: Query & { readonly excludeIncidentId?: number },
): Promise<PastIncident[]> {
  const query = askable(posed);
  const { labelSets, all } = queryText(query);
  // Label values are part of what was remembered, so they are part of what is asked.
  const words = searchQuery(all);
  const names = labelSets.flatMap(({ alertname }) => alertname ?? []);
  const sameAlert = sql`labels ->> 'alertname' in (select jsonb_array_elements_text(${JSON.stringify(names)}::jsonb))`;
  const other = sql`incident_id <> ${query.excludeIncidentId ?? 0}`;
  const { rows, point } = await askNear(db, { embedder: query.embedder, text: all }, async (asked) => {
    const found = await sql<Row>`
    with point as materialized (
      select ${asked.place} as place
    ), words as (
      select incident_id, cycle, row_number() over (order by ts_rank(search, ${words}) desc, incident_id desc, cycle desc) as place
      from past_incident where search @@ ${words} and ${other} order by place limit ${CANDIDATES}
    ), nearest as (
      select incident_id, cycle, ${asked.distance} as distance
      from past_incident_vector where ${asked.comparable} and ${other} order by ${asked.distance} limit ${CANDIDATES}
    ), near as (
      select incident_id, cycle, row_number() over (order by distance, incident_id desc, cycle desc) as place from nearest
    )
    , found as materialized (
    select p.incident_id, p.cycle, p.title, p.summary, p.labels, p.remedies, p.closed_at, p.rating, like_it.similarity, ${asked.space} as space,
      ${sameAlert} as same_alert, words.place::integer as words, near.place::integer as near
    from words full join near using (incident_id, cycle)
    join past_incident as p using (incident_id, cycle)
    left join lateral (
      select 1 - ${asked.distance} as similarity from past_incident_vector
      where ${asked.comparable} and incident_id = p.incident_id and cycle = p.cycle
    ) as like_it on true
    ), own as materialized (
      select o.* from remedy_outcome as o join found using (incident_id, cycle)
    ), rated as materialized (
      select kind.*, record.* from (select distinct alertname, runbook, tool from own) as kind
      cross join lateral (${recordQuery(sql`o.alertname = kind.alertname and o.tool = kind.tool and o.runbook is not distinct from kind.runbook`)}) as record
    )
    select found.*, (
      select coalesce(jsonb_agg(jsonb_build_object('attempt', attempt, 'alertname', own.alertname, 'runbook', own.runbook, 'tool', own.tool,
        'target', target, 'outcome', outcome, 'at', at, 'tried', tried, 'healed', healed, 'rate', rate, 'tries', tries, 'last', last)
        order by attempt, own.alertname), '[]')
      from own join rated on rated.alertname = own.alertname and rated.tool = own.tool and rated.runbook is not distinct from own.runbook
      where own.incident_id = found.incident_id and own.cycle = found.cycle
    ) as outcomes from found`.execute(db.q);
    return found.rows;
  });
  const found = rows
    // A query without words has no similarity: NaN, which no comparison lets through.
    .filter((row) => row.same_alert || (row.similarity !== null && row.similarity >= point.relatedFrom))
    .map((row) => ({ row, score: fuse(row.words, row.near) * (row.rating < 0 ? DISLIKED : 1) }))
    .map((candidate) => ({ ...candidate, standing: candidate.score * workedFactor(candidate.row) }))
    .sort((a, b) => b.standing - a.standing || b.row.incident_id - a.row.incident_id);
  const best = new Map(found.toReversed().map((candidate) => [candidate.row.incident_id, candidate]));
  return [...best.values()]
    .toReversed()
    .slice(0, query.limit)
    .map(({ row, score }) => ({
      incidentId: row.incident_id,
      title: row.title,
      summary: [
        row.summary,
        ...(row.rating < 0 ? ['People said afterwards that this did not help.'] : []),
        ...outcomesOf(row).flatMap(describeOutcome),
      ].join('\n'),
      labels: labelsSchema.parse(row.labels),
      remedies: row.remedies,
      outcomes: outcomesOf(row),
      closedAt: row.closed_at,
      score,
    }));
}

function workedFactor({ outcomes, closed_at: closedAt }: Row): number {
  const told = outcomes.filter(({ outcome }) => outcome !== 'unknown');
  if (told.length === 0) return 1;
  const decayed = WORKED * 0.5 ** (Math.max(0, Date.now() - closedAt.getTime()) / DAY_MS / HALF_LIFE_DAYS);
  return told.some(({ outcome }) => outcome === 'healed') ? 1 + decayed : 1 - decayed;
}

function outcomesOf({ outcomes }: Row): RatedOutcome[] {
  return outcomes.map(({ attempt, alertname, runbook, tool, target, outcome, at, ...record }) => {
    const last = record.last === null ? null : new Date(record.last);
    const rated = toRecord({ ...record, last });
    return { attempt, alertname, runbook, tool, target, outcome, at: new Date(at), record: rated };
  });
}

function describeOutcome({ tool, target, runbook, outcome, alertname, record }: RatedOutcome): string[] {
  const then = outcome === 'healed' ? 'healed it' : outcome === 'unknown' ? 'nobody can say' : `failed (${outcome})`;
  const since = record === null ? '' : `; ${describeRecord(record, alertname)}`;
  return [`${tool} on ${target}${runbook === null ? '' : ` (${runbook})`}: ${then}${since}`];
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
