import { type RawBuilder, type Selectable, sql } from 'kysely';
import { z } from 'zod';
import { type Labels, matchesLabels } from '../alert/index.ts';
import { type Database, json, type Schema } from '../database/index.ts';
import type { Chunk } from './chunk.ts';
import type { Space } from './embed-space.ts';
import { indexTerms } from './index-terms.ts';
import type { Flag } from './instructions.ts';
import { stepsHash } from './remedy-record.ts';
import { type Declaration, declarationSchema, matchersOf, NO_DECLARATION, type Runbook } from './runbook.ts';

const CHUNKS_PER_INSERT = 500;

const problemsSchema = z.array(
  z.object({ field: z.string(), value: z.string().optional(), message: z.string(), fix: z.string().optional() }),
);

const flagsSchema = z.array(z.object({ line: z.number(), reason: z.string() }));

/** What is known of an indexed runbook before its file is read again. */
export interface Indexed {
  readonly path: string;
  readonly sha256: string;
  readonly indexer: string;
  readonly problems: Runbook['problems'];
}

/** A chunk ready to be written. */
export interface IndexedChunk extends Chunk {
  /** Of the text that is embedded. */
  readonly textSha256: string;
  /** As it is stored; null where it is embedded later. */
  readonly vector: string | null;
}

/** Gives the runbooks that may act on at least one of these label sets, those with the most matchers first, and last those that talk to a machine. */
export async function matchingRunbooks(db: Database, labelSets: readonly Labels[]): Promise<Runbook[]> {
  return matchingOf(await matchingRows(db, labelSets).execute(), labelSets);
}

/** The query for what `matchingOf` chooses from, for a statement that reads other things as well. */
export function matchingRows(db: Database, labelSets: readonly Labels[]) {
  return db.q
    .selectFrom('runbook as r')
    .select(['r.path', 'r.title', 'r.sha256', 'r.front_matter', 'r.problems', 'r.flags', 'r.body'])
    .where(mayMatch(labelSets))
    .orderBy('r.path');
}

/** Gives, of the rows of `matchingRows`, what `matchingRunbooks` would. */
export function matchingOf(rows: readonly RunbookRow[], labelSets: readonly Labels[]): Runbook[] {
  return rows
    .map(runbookOf)
    .filter((runbook) => runbook.actionable && matchesAny(runbook, labelSets))
    .sort((a, b) => Number(a.flags.length > 0) - Number(b.flags.length > 0) || bySpecificity(a, b));
}

/** Gives the indexed runbook of that path, or null. */
export async function runbookByPath(db: Database, path: string): Promise<Runbook | null> {
  const row = await db.q
    .selectFrom('runbook')
    .select(['path', 'title', 'sha256', 'front_matter', 'problems', 'flags', 'body'])
    .where('path', '=', path)
    .executeTakeFirst();
  return row ? runbookOf(row) : null;
}

/** Tells whether a runbook's own matchers hold for one of the label sets; without matchers they never do. */
export function matchesAny(runbook: Pick<Runbook, 'match'>, labelSets: readonly Labels[]): boolean {
  const matchers = matchersOf(runbook);
  return matchers.length > 0 && labelSets.some((labels) => matchesLabels(matchers, labels));
}

/** Compares so that the runbook with more matchers comes first, since it was written for fewer alerts. */
export function bySpecificity(a: Pick<Runbook, 'match'>, b: Pick<Runbook, 'match'>): number {
  return matchersOf(b).length - matchersOf(a).length;
}

/**
 * A condition on runbook `r` that leaves out those whose equality matchers fail for every label set, so that Postgres
 * hands over a few and not all. What it lets through still has to be matched by `matchesAny`.
 */
export function mayMatch(labelSets: readonly Labels[]): RawBuilder<boolean> {
  return sql<boolean>`(r.front_matter is not null and jsonb_array_length(r.front_matter -> 'match') > 0 and exists (
    select from jsonb_array_elements(${JSON.stringify(labelSets)}::jsonb) as labels
    where labels @> (r.front_matter -> 'equals')))`;
}

/** Reads a declaration back from the database; one that another version wrote otherwise declares nothing. */
export function declarationOf(frontMatter: unknown): Declaration {
  const parsed = declarationSchema.safeParse(frontMatter);
  return parsed.success ? parsed.data : NO_DECLARATION;
}

type RunbookRow = Pick<
  Selectable<Schema['runbook']>,
  'path' | 'title' | 'sha256' | 'front_matter' | 'problems' | 'flags' | 'body'
>;

/** Reads a runbook back from its row. */
export function runbookOf(row: RunbookRow): Runbook {
  const { path, title, sha256, body } = row;
  const problems = problemsSchema.parse(row.problems);
  const declaration = declarationOf(row.front_matter);
  const actionable = problems.length === 0 && declaration.remedies.length > 0;
  return { path, title, ...declaration, body, sha256, problems, flags: flagsOf(row.flags), actionable };
}

/** Reads flags back from the database. */
export function flagsOf(stored: unknown): Flag[] {
  return flagsSchema.parse(stored);
}

/** Lists what is indexed. */
export async function listIndexed(db: Database): Promise<Indexed[]> {
  const rows = await db.q
    .selectFrom('runbook')
    .select(['path', 'sha256', 'indexer', 'problems'])
    .orderBy('path')
    .execute();
  return rows.map(({ path, sha256, indexer, problems }) => ({
    path,
    sha256,
    indexer,
    problems: problemsSchema.parse(problems),
  }));
}

/**
 * Writes a runbook and its chunks in place of what was there, in one transaction. Passages whose text stays the same keep their
 * vectors; those that come with one get it in `space`, unless that was given to another embedder meanwhile.
 */
export async function writeRunbook(
  db: Database,
  runbook: Runbook,
  { indexer, chunks, space }: { indexer: string; chunks: readonly IndexedChunk[]; space: Space },
): Promise<void> {
  const { path, title, sha256, body, problems, match, service, remedies, verify, escalateTo } = runbook;
  // Equality with the empty string also holds for a missing label, which containment cannot tell.
  const equals = matchersOf(runbook).filter(({ operator, value }) => operator === '=' && value !== '');
  const declaration = { match, service, remedies, verify, escalateTo };
  const isDeclared =
    match.length > 0 || remedies.length > 0 || verify.length > 0 || service !== null || escalateTo !== null;
  const terms = indexTerms(runbook);
  const row = {
    title,
    sha256,
    indexer,
    front_matter: isDeclared
      ? json({ ...declaration, equals: Object.fromEntries(equals.map(({ label, value }) => [label, value])) })
      : null,
    problems: json(problems),
    flags: json(runbook.flags),
    steps_sha256: stepsHash(runbook),
    body,
    name_words: sql`array(select jsonb_array_elements_text(${JSON.stringify(terms.nameWords)}::jsonb))`,
    name_key: terms.nameKey,
  };
  // The empty term stands in every runbook, so that the index knows how many there are.
  const postings = Object.fromEntries([['', 0], ...terms.weights]);
  await db.transaction(async () => {
    await oneWriter(db);
    const { id } = await db.q
      .insertInto('runbook')
      .values({ path, ...row })
      .onConflict((conflict) => conflict.column('path').doUpdateSet({ ...row, indexed_at: sql`clock_timestamp()` }))
      .returning('id')
      .executeTakeFirstOrThrow();
    const { last } = await db.q
      .selectFrom('chunk')
      .select(({ fn }) => fn.max('id').as('last'))
      .where('runbook_id', '=', id)
      .executeTakeFirstOrThrow();
    await db.q.deleteFrom('posting').where('runbook_id', '=', id).execute();
    await sql`insert into posting (term, runbook_id, weight)
      select key, ${id}, value::real from jsonb_each_text(${JSON.stringify(postings)}::jsonb)`.execute(db.q);
    const rows = chunks.map((chunk, ordinal) => ({
      runbook_id: id,
      ordinal,
      breadcrumb: chunk.breadcrumb,
      content: chunk.content,
      start_line: chunk.startLine,
      end_line: chunk.endLine,
      text_sha256: chunk.textSha256,
    }));
    // A statement takes 65,535 parameters at most.
    for (let at = 0; at < rows.length; at += CHUNKS_PER_INSERT) {
      await db.q
        .insertInto('chunk')
        .values(rows.slice(at, at + CHUNKS_PER_INSERT))
        .execute();
    }
    if (last !== null) await carryVectors(db, id, last);
    const vectors = chunks.flatMap(({ vector }, ordinal) => (vector === null ? [] : [{ ordinal, embedding: vector }]));
    if (vectors.length > 0)
      await sql`insert into chunk_vector (slot, width, runbook_id, chunk_id, embedding)
        select e.slot, e.width, c.runbook_id, c.id, row.embedding::vector
        from jsonb_to_recordset(${JSON.stringify(vectors)}::jsonb) as row (ordinal integer, embedding text)
        join chunk as c on c.runbook_id = ${id} and c.ordinal = row.ordinal
        join embedder as e on e.name = ${space.name} and e.slot = ${space.slot} and e.width = ${space.width}
        on conflict do nothing`.execute(db.q);
  });
}

/** Gives the new chunks of a runbook the vectors of the old ones with the same text, and removes the old ones: those up to id `last`. */
async function carryVectors(db: Database, runbookId: number, last: number): Promise<void> {
  await sql`insert into chunk_vector (slot, width, runbook_id, chunk_id, embedding)
    select v.slot, v.width, v.runbook_id, c.id, v.embedding
    from chunk as old join chunk_vector as v on v.runbook_id = old.runbook_id and v.chunk_id = old.id
    join chunk as c on c.runbook_id = old.runbook_id and c.id > ${last} and c.text_sha256 = old.text_sha256
    where old.runbook_id = ${runbookId} and old.id <= ${last} and old.text_sha256 <> ''
    on conflict do nothing`.execute(db.q);
  await db.q.deleteFrom('chunk').where('runbook_id', '=', runbookId).where('id', '<=', last).execute();
}

/** Takes runbooks out of the index. */
export async function deleteRunbook(db: Database, path: string): Promise<void> {
  await db.transaction(async () => {
    await oneWriter(db);
    await db.q.deleteFrom('runbook').where('path', '=', path).execute();
  });
}

/** Joins the queue of those who write the index or its vectors; holds until the transaction ends. Two writers would wait for each other's counts of terms, each holding some. */
export async function oneWriter(db: Database): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('nightshift runbook index'))`.execute(db.q);
}
