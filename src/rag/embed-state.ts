/** Which embedder serves, which is wanted, and who works with it: rows that all servers on one database share. */
import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { describeProblems, NightshiftError } from '../errors.ts';
import { readServing, type Space, widthFor } from './embed-space.ts';
import { oneWriter } from './store.ts';

const LEASE = sql`interval '60 seconds'`;
/** So that no statement takes seconds. */
const CLEARED_AT_ONCE = 2000;

/** An embedder as the database knows it. */
export interface EmbedderState {
  readonly name: string;
  readonly dimensions: number | null;
  readonly width: number | null;
  readonly slot: number | null;
  readonly serving: boolean;
  readonly wanted: boolean;
}

/** Lists the embedders that the database knows. */
export function listEmbedders(db: Database): Promise<EmbedderState[]> {
  return db.q
    .selectFrom('embedder')
    .select(['name', 'dimensions', 'width', 'slot', 'serving', 'wanted'])
    .orderBy('name')
    .execute();
}

/** Says that vectors shall be made by this embedder from now on. Of several servers that say so, the one that started last is heard. */
export async function wantEmbedder(db: Database, name: string): Promise<void> {
  await db.transaction(async () => {
    await oneWriter(db);
    await db.q.updateTable('embedder').set({ wanted: false }).where('wanted', '=', true).execute();
    await db.q
      .insertInto('embedder')
      .values({ name, wanted: true })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ wanted: true }))
      .execute();
  });
}

/** Takes the work with an embedder for a minute, or for another; false while another process has it. */
export async function holdEmbedder(db: Database, name: string, worker: string): Promise<boolean> {
  const { numUpdatedRows } = await db.q
    .updateTable('embedder')
    .set({ worker, worker_until: sql`clock_timestamp() + ${LEASE}` })
    .where('name', '=', name)
    .where(sql<boolean>`(worker is null or worker = ${worker} or worker_until < clock_timestamp())`)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** Gives the work back. */
export async function releaseEmbedder(db: Database, name: string, worker: string): Promise<void> {
  await db.q
    .updateTable('embedder')
    .set({ worker: null, worker_until: null })
    .where('name', '=', name)
    .where('worker', '=', worker)
    .execute();
}

/**
 * Gives the place for an embedder's vectors, a free one where it has none yet; null while there is none.
 * @throws NightshiftError `invalid_config` where its vectors had another length before.
 */
export async function openSpace(db: Database, name: string, dimensions: number): Promise<Space | null> {
  return db.transaction(async () => {
    await oneWriter(db);
    const known = await listEmbedders(db);
    const own = known.find((one) => one.name === name);
    if (!own?.wanted && !own?.serving) return null;
    if (own.slot !== null && own.width !== null) {
      if (own.dimensions !== dimensions) throw otherLength(name, dimensions, own.dimensions);
      return { name, slot: own.slot, width: own.width };
    }
    const slot = [0, 1].find((free) => known.every((one) => one.slot !== free));
    if (slot === undefined) return null;
    const width = widthFor(dimensions);
    await db.q.updateTable('embedder').set({ dimensions, width, slot }).where('name', '=', name).execute();
    return { name, slot, width };
  });
}

/** Makes the error that tells that a model gives vectors of another length than before. */
export function otherLength(name: string, length: number, before: number | null): NightshiftError {
  const message = `vectors of ${name} had ${before} numbers before`;
  const fix = 'name another model, or set embeddings.dimensions to what they had';
  const problems = [{ field: 'embeddings.dimensions', value: String(length), message, fix }];
  return new NightshiftError('invalid_config', describeProblems(problems), { problems });
}

/** Tells whether everything has its vector at that place. */
export async function isComplete(db: Database, slot: number): Promise<boolean> {
  const { rows } = await sql<{ complete: boolean }>`
    select not exists (
        select from chunk as c where not exists (
          select from chunk_vector as v where v.slot = ${slot} and v.runbook_id = c.runbook_id and v.chunk_id = c.id))
      and not exists (
        select from past_incident as p where not exists (
          select from past_incident_vector as v
          where v.slot = ${slot} and v.incident_id = p.incident_id and v.cycle = p.cycle)) as complete`.execute(db.q);
  return rows[0]?.complete ?? false;
}

/** Lets an embedder serve if it is the wanted one and everything has its vectors; one transaction. Tells whether it serves now. */
export async function switchTo(db: Database, { name, slot }: Space): Promise<boolean> {
  const serves = await db.transaction(async () => {
    // Whoever indexes waits, so nothing comes in between without its vectors.
    await oneWriter(db);
    const own = (await listEmbedders(db)).find((one) => one.name === name);
    if (!own?.wanted || own.slot !== slot || !(await isComplete(db, slot))) return false;
    await db.q.updateTable('embedder').set({ serving: false }).where('serving', '=', true).execute();
    await db.q.updateTable('embedder').set({ serving: true }).where('name', '=', name).execute();
    return true;
  });
  if (serves) await readServing(db);
  return serves;
}

/** Removes the vectors of embedders that neither serve nor are wanted, some at a time, and gives their places free. */
export async function clearSpaces(db: Database): Promise<void> {
  for (const { name, wanted, serving } of await listEmbedders(db)) {
    if (wanted || serving) continue;
    let more = true;
    while (more) more = await db.transaction(() => clearSome(db, name));
  }
}

async function clearSome(db: Database, name: string): Promise<boolean> {
  await oneWriter(db);
  // Waits for those who are writing there, so that nothing of theirs stays behind.
  const own = await db.q.selectFrom('embedder').selectAll().where('name', '=', name).forUpdate().executeTakeFirst();
  // Somebody may want it again by now.
  if (!own || own.wanted || own.serving) return false;
  let cleared = 0n;
  for (const table of ['chunk_vector', 'past_incident_vector'] as const) {
    const { numAffectedRows = 0n } = await sql`
      delete from ${sql.table(table)} where ctid = any (array(
        select ctid from ${sql.table(table)} where slot = ${own.slot} limit ${CLEARED_AT_ONCE}))`.execute(db.q);
    cleared += numAffectedRows;
  }
  if (cleared > 0n) return true;
  await db.q.deleteFrom('embedder').where('name', '=', name).execute();
  return false;
}
