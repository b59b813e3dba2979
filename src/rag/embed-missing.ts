import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { sql } from 'kysely';
import { type Labels, labelsSchema } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import type { Embedder } from './embed.ts';
import { type Space, stored } from './embed-space.ts';
import {
  holdEmbedder,
  isComplete,
  listEmbedders,
  openSpace,
  otherLength,
  releaseEmbedder,
  switchTo,
} from './embed-state.ts';
import { oneWriter } from './store.ts';

/** How many vectors a transaction writes: on the embedded database nothing else happens meanwhile. */
const WRITTEN_AT_ONCE = 8;

/** How far it came: everything has its vector; another process is at it; or the embedder is not wanted any more. */
export type Progress = 'done' | 'elsewhere' | 'unwanted';

export interface EmbedOptions {
  readonly embedder: Embedder;
  /** Names this process among those that could do the same work. */
  readonly worker: string;
  readonly signal?: AbortSignal;
  /** Told after every batch how many were embedded in all. */
  readonly onProgress?: (embedded: number) => void;
}

/** A text without a vector: a chunk of a runbook, or a past incident. */
interface Missing {
  readonly id: number;
  readonly text: string;
  /** Of a past incident: which time it was closed, and what it said then. */
  readonly cycle: number;
  readonly mark: string;
}

/** Gives the text by which a passage is found by vector: what the runbook is called and for, then where the passage stands. */
export function textOfChunk(chunk: {
  path: string;
  title: string;
  service: string | null;
  breadcrumb: string;
  content: string;
}): string {
  const { path, title, service, breadcrumb, content } = chunk;
  return [title, basename(path).replace(/\.md$/i, ''), service ?? '', breadcrumb, content].join('\n');
}

/** Gives the text by which a past incident is found by vector. */
export function textOfIncident({ title, labels, summary }: { title: string; labels: Labels; summary: string }): string {
  return [title, Object.values(labels).join('\n'), summary].join('\n');
}

/** Names a text, so that it is not embedded again where it stays the same. */
export function hashOfText(text: string): string {
  return createHash('sha256').update(text.toWellFormed()).digest('hex');
}

/**
 * Embeds whatever has no vector of this embedder, and lets it serve once everything has one, if it is the wanted one. What is written
 * stays, so that the next call goes on where this one ended, however it ended.
 * @throws NightshiftError as `Embedder.embed` does.
 */
export async function embedMissing(
  db: Database,
  { embedder, worker, signal, onProgress }: EmbedOptions,
): Promise<Progress> {
  const { id: name } = embedder;
  const own = (await listEmbedders(db)).find((one) => one.name === name);
  if (!own?.wanted && !own?.serving) return 'unwanted';
  if (own.serving && own.slot !== null && (await isComplete(db, own.slot))) return 'done';
  if (!(await holdEmbedder(db, name, worker))) return 'elsewhere';
  try {
    // Only an answer tells how long its vectors are.
    const dimensions = own.dimensions ?? (await embedder.embed(['disk full'], signal))[0]?.length ?? 0;
    const space = await openSpace(db, name, dimensions);
    if (!space) return 'unwanted';
    let embedded = 0;
    for (const shelf of [CHUNKS, PAST_INCIDENTS]) {
      let after: Missing | null = null;
      for (;;) {
        const missing: Missing[] = await shelf.missing(db, { space, after, limit: embedder.batchSize });
        after = missing.at(-1) ?? null;
        if (after === null) break;
        const vectors = await embedder.embed(
          missing.map(({ text }) => text),
          signal,
        );
        for (const { length } of vectors) if (length !== dimensions) throw otherLength(name, length, dimensions);
        const rows = missing.map((one, index) => ({ ...one, embedding: stored(vectors[index] ?? [], space) }));
        for (let at = 0; at < rows.length; at += WRITTEN_AT_ONCE) {
          if (!(await write(db, space, shelf, rows.slice(at, at + WRITTEN_AT_ONCE)))) return 'unwanted';
        }
        embedded += missing.length;
        onProgress?.(embedded);
        if (!(await holdEmbedder(db, name, worker))) return 'elsewhere';
      }
    }
    await switchTo(db, space);
    return 'done';
  } finally {
    await releaseEmbedder(db, name, worker);
  }
}

/** Writes some vectors, unless the place was given to another embedder. */
function write(db: Database, space: Space, shelf: Shelf, rows: readonly object[]): Promise<boolean> {
  return db.transaction(async () => {
    await oneWriter(db);
    const own = await db.q
      .selectFrom('embedder')
      .select('name')
      .where('name', '=', space.name)
      .where('slot', '=', space.slot)
      .where(({ or, eb }) => or([eb('wanted', '=', true), eb('serving', '=', true)]))
      .executeTakeFirst();
    if (!own) return false;
    await shelf.write(db, space, JSON.stringify(rows));
    return true;
  });
}

interface Shelf {
  missing(db: Database, from: { space: Space; after: Missing | null; limit: number }): Promise<Missing[]>;
  /** Writes those that are still what they were when they were read. */
  write(db: Database, space: Space, rows: string): Promise<unknown>;
}

const CHUNKS: Shelf = {
  async missing(db, { space, after, limit }) {
    const { rows } = await sql<Parameters<typeof textOfChunk>[0] & { id: number }>`
      select c.id, r.path, r.title, r.front_matter ->> 'service' as service, c.breadcrumb, c.content
      from chunk as c join runbook as r on r.id = c.runbook_id
      where c.id > ${after?.id ?? 0} and not exists (
        select from chunk_vector as v where v.slot = ${space.slot} and v.runbook_id = c.runbook_id and v.chunk_id = c.id)
      order by c.id limit ${limit}`.execute(db.q);
    return rows.map((row) => ({ id: row.id, text: textOfChunk(row), cycle: 0, mark: '' }));
  },
  write: (db, { slot, width }, rows) =>
    sql`insert into chunk_vector (slot, width, runbook_id, chunk_id, embedding)
      select ${slot}, ${width}, c.runbook_id, c.id, row.embedding::vector
      from jsonb_to_recordset(${rows}::jsonb) as row (id bigint, embedding text) join chunk as c on c.id = row.id
      on conflict do nothing`.execute(db.q),
};

const MARK = sql<string>`md5(p.title || p.summary || p.labels::text)`;

const PAST_INCIDENTS: Shelf = {
  async missing(db, { space, after, limit }) {
    const { rows } = await sql<{
      id: number;
      cycle: number;
      title: string;
      labels: unknown;
      summary: string;
      mark: string;
    }>`
      select p.incident_id as id, p.cycle, p.title, p.labels, p.summary, ${MARK} as mark from past_incident as p
      where (p.incident_id, p.cycle) > (${after?.id ?? 0}, ${after?.cycle ?? 0}) and not exists (
        select from past_incident_vector as v
        where v.slot = ${space.slot} and v.incident_id = p.incident_id and v.cycle = p.cycle)
      order by p.incident_id, p.cycle limit ${limit}`.execute(db.q);
    return rows.map(({ id, cycle, mark, labels, ...row }) => {
      return { id, cycle, mark, text: textOfIncident({ ...row, labels: labelsSchema.parse(labels) }) };
    });
  },
  write: (db, { slot, width }, rows) =>
    sql`insert into past_incident_vector (slot, width, incident_id, cycle, embedding)
      select ${slot}, ${width}, p.incident_id, p.cycle, row.embedding::vector
      from jsonb_to_recordset(${rows}::jsonb) as row (id bigint, cycle integer, mark text, embedding text)
      join past_incident as p on p.incident_id = row.id and p.cycle = row.cycle and ${MARK} = row.mark
      on conflict do nothing`.execute(db.q),
};
