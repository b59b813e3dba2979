import { type RawBuilder, sql } from 'kysely';
import { type Database, json } from '../database/index.ts';
import { keySha256 } from './correlate.ts';
import type { Incident } from './incident.ts';
import type { Journal } from './stage.ts';

/** Longer ones are stored by their hash. */
const KEY_MAX = 200;

/** How the keys begin of the stage that an incident is at. */
function prefixOf({ cycle, context, state }: Incident): string {
  return `${cycle}/${context.attempt}/${state}/`;
}

/** That a row of `journal` is of the stage that an incident is at, where it goes by that name. */
export function inJournal(alias: string): RawBuilder<unknown> {
  const of = (column: string) => sql.ref(`${alias}.${column}`);
  const prefix = sql`concat_ws('/', ${of('cycle')}, coalesce(${of('context')} ->> 'attempt', '0'), ${of('state')}, '')`;
  return sql`journal.incident_id = ${of('id')} and starts_with(journal.key, ${prefix})`;
}

/**
 * Makes the journal of one incident's current stage: a finished model or tool call is stored under
 * (cycle, attempt, state, key) at once, and after a crash its stored result is used instead of calling again.
 */
export function createJournal(db: Database, incident: Incident): Journal {
  const prefix = prefixOf(incident);
  let before: Promise<Map<string, unknown>> | undefined;
  const load = async (): Promise<Map<string, unknown>> => {
    const rows = await db.q
      .selectFrom('journal')
      .select(['key', 'result'])
      .where('incident_id', '=', incident.id)
      .where(sql<boolean>`starts_with(key, ${prefix})`)
      .execute();
    return new Map(rows.map(({ key, result }) => [key, result]));
  };
  return async <T>(key: string, run: () => Promise<T>): Promise<T> => {
    const full = `${prefix}${key.length > KEY_MAX ? keySha256(key) : key}`;
    // Read once: whoever has the incident is alone with it, but for a worker that has lost it and does not know yet.
    before ??= incident.glimpse?.journal === false ? Promise.resolve(new Map()) : load();
    const stored = await before.catch((error: unknown) => {
      before = undefined;
      throw error;
    });
    if (stored.has(full)) return stored.get(full) as T;
    const started = performance.now();
    const result = await run();
    const row = {
      incident_id: incident.id,
      key: full,
      result: json(result),
      duration_ms: Math.round(performance.now() - started),
    };
    const written = await db.q
      .insertInto('journal')
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .returning('key')
      .executeTakeFirst();
    // What that one has written counts, as it will after a crash.
    const counts = written ? result : ((await load()).get(full) as T);
    stored.set(full, counts);
    return counts;
  };
}
