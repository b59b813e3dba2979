import { type RawBuilder, sql } from 'kysely';
import { z } from 'zod';
import { type Labels, matchesLabels } from '../alert/index.ts';
import { type Database, json } from '../database/index.ts';
import type { Chunk } from './chunk.ts';
import { type Declaration, declarationSchema, matchersOf, NO_DECLARATION, type Runbook } from './runbook.ts';
import { searchVector } from './search-text.ts';

const CHUNKS_PER_INSERT = 500;

const problemsSchema = z.array(
  z.object({ field: z.string(), value: z.string().optional(), message: z.string(), fix: z.string().optional() }),
);

/** What is known of an indexed runbook before its file is read again. */
export interface Indexed {
  readonly path: string;
  readonly sha256: string;
  readonly indexer: string;
  readonly problems: Runbook['problems'];
}

/** A chunk ready to be written: its text, the texts that stand above it, and its vector. */
export interface IndexedChunk extends Chunk {
  readonly heading: string;
  readonly vector: readonly number[];
}

/** Gives the runbooks that may act on at least one of these label sets, those with the most matchers first. */
export async function matchingRunbooks(db: Database, labelSets: readonly Labels[]): Promise<Runbook[]> {
  const rows = await db.q
    .selectFrom('runbook as r')
    .select(['r.path', 'r.title', 'r.sha256', 'r.front_matter', 'r.problems', 'r.body'])
    .where(mayMatch(labelSets))
    .orderBy('r.path')
    .execute();
  return rows
    .map(fromRow)
    .filter((runbook) => runbook.actionable && matchesAny(runbook, labelSets))
    .sort(bySpecificity);
}

/** Gives the indexed runbook of that path, or null. */
export async function runbookByPath(db: Database, path: string): Promise<Runbook | null> {
  const row = await db.q
    .selectFrom('runbook')
    .select(['path', 'title', 'sha256', 'front_matter', 'problems', 'body'])
    .where('path', '=', path)
    .executeTakeFirst();
  return row ? fromRow(row) : null;
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

function fromRow(row: {
  path: string;
  title: string;
  sha256: string;
  front_matter: unknown;
  problems: unknown;
  body: string;
}): Runbook {
  const { path, title, sha256, body } = row;
  const problems = problemsSchema.parse(row.problems);
  const declaration = declarationOf(row.front_matter);
  const actionable = problems.length === 0 && declaration.remedies.length > 0;
  return { path, title, ...declaration, body, sha256, problems, actionable };
}

/** Lists what is indexed. */
export async function listIndexed(db: Database): Promise<Indexed[]> {
  const rows = await db.q
    .selectFrom('runbook')
    .select(['path', 'sha256', 'embedder', 'problems'])
    .orderBy('path')
    .execute();
  return rows.map(({ path, sha256, embedder, problems }) => ({
    path,
    sha256,
    indexer: embedder,
    problems: problemsSchema.parse(problems),
  }));
}

/** Writes a runbook and its chunks in place of what was there, in one transaction. */
export async function writeRunbook(
  db: Database,
  runbook: Runbook,
  indexer: string,
  chunks: readonly IndexedChunk[],
): Promise<void> {
  const { path, title, sha256, body, problems, match, service, remedies, verify, escalateTo } = runbook;
  // Equality with the empty string also holds for a missing label, which containment cannot tell.
  const equals = matchersOf(runbook).filter(({ operator, value }) => operator === '=' && value !== '');
  const declaration = { match, service, remedies, verify, escalateTo };
  const isDeclared =
    match.length > 0 || remedies.length > 0 || verify.length > 0 || service !== null || escalateTo !== null;
  const row = {
    title,
    sha256,
    embedder: indexer,
    front_matter: isDeclared
      ? json({ ...declaration, equals: Object.fromEntries(equals.map(({ label, value }) => [label, value])) })
      : null,
    problems: json(problems),
    body,
  };
  await db.transaction(async () => {
    const { id } = await db.q
      .insertInto('runbook')
      .values({ path, ...row })
      .onConflict((conflict) => conflict.column('path').doUpdateSet({ ...row, indexed_at: sql`clock_timestamp()` }))
      .returning('id')
      .executeTakeFirstOrThrow();
    await db.q.deleteFrom('chunk').where('runbook_id', '=', id).execute();
    const rows = chunks.map((chunk, ordinal) => ({
      runbook_id: id,
      ordinal,
      breadcrumb: chunk.breadcrumb,
      content: chunk.content,
      start_line: chunk.startLine,
      end_line: chunk.endLine,
      embedding: vector(chunk.vector),
      search: searchVector([
        ['A', chunk.heading],
        ['B', chunk.breadcrumb],
        ['D', chunk.content],
      ]),
    }));
    // A statement takes 65,535 parameters at most.
    for (let at = 0; at < rows.length; at += CHUNKS_PER_INSERT) {
      await db.q
        .insertInto('chunk')
        .values(rows.slice(at, at + CHUNKS_PER_INSERT))
        .execute();
    }
  });
}

/** Takes runbooks out of the index. */
export async function deleteRunbook(db: Database, path: string): Promise<void> {
  await db.q.deleteFrom('runbook').where('path', '=', path).execute();
}

/** Makes a pgvector value; as text it goes through every driver alike. */
export function vector(values: readonly number[]): RawBuilder<string> {
  return sql`${`[${values.join(',')}]`}::vector`;
}
