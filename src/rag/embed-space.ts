/** Where vectors lie, and in whose space a question is asked: vectors of different embedders are never compared. */
import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { type Embedder, hashEmbedder } from './embed.ts';

/** The place of one embedder's vectors in the tables of vectors. */
export interface Space {
  readonly name: string;
  readonly slot: number;
  /** How many numbers are stored; vectors are filled up with zeros to it. */
  readonly width: number;
}

/** A question as SQL. Where it has no vector, nothing is near and every similarity is null. */
export interface Point {
  /** The vector, which the statement selects once: `with point as materialized (select … as place)`. */
  readonly place: RawBuilder<unknown>;
  /** The distance of a row of a table of vectors, as its index knows it. */
  readonly distance: RawBuilder<number>;
  /** Holds for the rows that may be compared, and for none once another embedder serves. */
  readonly comparable: RawBuilder<boolean>;
  /** The name of the embedder that serves; each row of the answer must carry it as `space`. */
  readonly space: RawBuilder<string>;
  /** The cosine, 0 to 1, from which texts count as related. */
  readonly relatedFrom: number;
}

/** The widths that the migration made indexes for; from 2,000 on in half the precision. */
const WIDTHS = [512, 1024, 1536, 3072, 4000];
const HALF_FROM = 2000;
/** A question has words as well, and somebody waits for the answer. */
const QUESTION_MS = 2000;

/** What every database begins with. */
const FIRST: Space = { name: hashEmbedder.id, slot: 0, width: 512 };
/** As far as this process knows; the searches themselves notice when it is no longer so. */
const serving = new WeakMap<Database, Space>();

/** Gives the embedder whose vectors serve searches, as it is now in the database. */
export async function readServing(db: Database): Promise<Space> {
  const { name, slot, width } = await db.q
    .selectFrom('embedder')
    .select(['name', 'slot', 'width'])
    .where('serving', '=', true)
    .executeTakeFirstOrThrow();
  const space = { name, slot: slot ?? 0, width: width ?? 0 };
  serving.set(db, space);
  return space;
}

/** Gives the embedder whose vectors serve searches, as far as this process knows. */
export function knownServing(db: Database): Space {
  return serving.get(db) ?? FIRST;
}

/** Gives the embedder of that name where this process has it: the configured one, or the offline one, which is always there. */
export function embedderNamed(name: string, configured: Embedder): Embedder | null {
  return [configured, hashEmbedder].find(({ id }) => id === name) ?? null;
}

/** Gives the width that vectors of so many numbers (1 to 4,000) are stored with. */
export function widthFor(dimensions: number): number {
  return WIDTHS.find((width) => width >= dimensions) ?? Number.NaN;
}

/** Writes a vector as it is stored. */
export function stored(values: readonly number[], { width }: Pick<Space, 'width'>): string {
  return `[${[...values, ...new Array<number>(width - values.length).fill(0)].join(',')}]`;
}

/**
 * Asks a question in the space that serves, once more where another took over meanwhile. A question whose vector fails or takes over
 * two seconds goes on without one.
 */
export async function askNear<Row extends { space: string }>(
  db: Database,
  { embedder, text }: { embedder: Embedder; text: string },
  search: (point: Point) => Promise<Row[]>,
): Promise<{ rows: Row[]; point: Point }> {
  const ask = async (space: Space) => {
    const point = await pointOf(space, embedder, text);
    return { rows: await search(point), point };
  };
  const known = knownServing(db);
  const answer = await ask(known);
  const [row] = answer.rows;
  if (row === undefined || row.space === known.name) return answer;
  return ask(await readServing(db));
}

async function pointOf(space: Space, configured: Embedder, text: string): Promise<Point> {
  const embedder = embedderNamed(space.name, configured);
  const vector = embedder && (await vectorOf(embedder, text));
  const serves = sql<string>`(select name from embedder where serving)`;
  if (!embedder || !vector || vector.length > space.width) {
    const none = { place: sql`null`, distance: sql<number>`null::double precision`, comparable: sql<boolean>`false` };
    return { ...none, space: serves, relatedFrom: configured.relatedFrom };
  }
  const type = sql.raw(`${space.width > HALF_FROM ? 'halfvec' : 'vector'}(${space.width})`);
  const { slot, width } = space;
  return {
    place: sql`${stored(vector, space)}::${type}`,
    distance: sql`(embedding::${type} <=> (select place from point))`,
    // Written out, so that the planner sees whose index it is.
    comparable: sql`(slot = ${sql.lit(slot)} and width = ${sql.lit(width)} and ${space.name} = ${serves})`,
    space: serves,
    relatedFrom: embedder.relatedFrom,
  };
}

async function vectorOf(embedder: Embedder, text: string): Promise<number[] | null> {
  try {
    const signal = AbortSignal.timeout(QUESTION_MS);
    const [vector] = await (embedder.isLocal ? embedder.embed([text]) : embedder.embed([text], signal));
    return vector ?? null;
  } catch (error) {
    embedder.onTrouble?.(error);
    return null;
  }
}
