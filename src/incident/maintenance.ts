import { sql } from 'kysely';
import { type Alert, type Matcher, makeMatcher, matchesLabels } from '../alert/index.ts';
import { type Database, json } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';

/** The origin of what a person began here; no source may have this name. */
const BY_PERSON = 'person';

/** That a row of `maintenance` holds now, in the words of SQL. */
export const IN_FORCE = sql`maintenance.starts_at <= clock_timestamp() and maintenance.ends_at > clock_timestamp()`;

/** A time in which nothing is done about alerts that match; a silence of Alertmanager is one of its origin's own. */
export interface Maintenance {
  readonly id: string;
  /** `person`, or the name of the source whose silence it is. */
  readonly origin: string;
  readonly matchers: readonly Matcher[];
  readonly reason: string;
  readonly madeBy: string;
  readonly startsAt: Date;
  readonly endsAt: Date;
}

/** Lists what holds now or will, the earliest end first. */
export async function listMaintenance(db: Database): Promise<Maintenance[]> {
  const rows = await db.q
    .selectFrom('maintenance')
    .selectAll()
    .where('ends_at', '>', sql<Date>`clock_timestamp()`)
    .orderBy('ends_at')
    .orderBy('id')
    .execute();
  return rows.flatMap((row) => {
    const matchers = matchersOf(row.matchers);
    if (matchers === null) return [];
    return [
      {
        id: row.id,
        origin: row.origin,
        matchers,
        reason: row.reason,
        madeBy: row.made_by,
        startsAt: row.starts_at,
        endsAt: row.ends_at,
      },
    ];
  });
}

/** Regular expressions do not survive JSON, so they are made anew; null where one cannot be read any more. */
function matchersOf(kept: unknown): Matcher[] | null {
  try {
    return (kept as Matcher[]).map(({ label, operator, value }) => makeMatcher(label, operator, value));
  } catch {
    return null;
  }
}

/** Writes a matcher as Alertmanager does, for example `env=~"prod|staging"`. */
export function writeMatcher({ label, operator, value }: Pick<Matcher, 'label' | 'operator' | 'value'>): string {
  const quoted = value.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n');
  return `${label}${operator}"${quoted}"`;
}

/** Puts what one origin says in place of what it said before, in the current transaction. */
export async function replaceMaintenance(
  db: Database,
  origin: string,
  all: readonly Omit<Maintenance, 'origin'>[],
): Promise<void> {
  await db.q.deleteFrom('maintenance').where('origin', '=', origin).execute();
  for (const one of all) await addMaintenance(db, { ...one, origin });
}

/** Adds one, in the current transaction. */
export async function addMaintenance(db: Database, one: Maintenance): Promise<void> {
  await db.q
    .insertInto('maintenance')
    .values({
      id: one.id,
      origin: one.origin,
      matchers: json(one.matchers.map(({ label, operator, value }) => ({ label, operator, value }))),
      reason: one.reason,
      made_by: one.madeBy,
      starts_at: one.startsAt,
      ends_at: one.endsAt,
    })
    .execute();
}

/** Ends one that a person began. @throws NightshiftError `not_found`, or `conflict` for a silence, which ends where it was made. */
export async function endMaintenance(db: Database, id: string): Promise<void> {
  const row = await db.q
    .selectFrom('maintenance')
    .select('origin')
    .where('id', '=', id)
    .orderBy(sql`origin <> ${BY_PERSON}`)
    .executeTakeFirst();
  if (!row)
    throw new NightshiftError(
      'not_found',
      `there is no maintenance ${id}. Fix: list them with: nightshift maintenance list`,
    );
  if (row.origin !== BY_PERSON)
    throw new NightshiftError('conflict', `${id} is a silence of ${row.origin}. Fix: expire it there`);
  await db.q.deleteFrom('maintenance').where('id', '=', id).where('origin', '=', BY_PERSON).execute();
}

/** Tells whether a maintenance is about an alert, whenever it holds: a silence is about those of its own Alertmanager only. */
export function isAbout(
  { origin, matchers }: Maintenance,
  { source, labels }: Pick<Alert, 'source' | 'labels'>,
): boolean {
  return (origin === BY_PERSON || origin === source) && matchesLabels(matchers, labels);
}

/**
 * Tells why nothing is to be done for now about these alerts, and until when: each of them lies within a maintenance, or within a silence
 * of the Alertmanager that sent it. Gives null where one of them does not, or where there are none.
 */
export function heldBy(
  alerts: readonly Pick<Alert, 'source' | 'labels'>[],
  all: readonly Maintenance[],
  now: Date,
): { because: string; until: Date } | null {
  const holding = all.filter(({ startsAt, endsAt }) => startsAt <= now && endsAt > now);
  const found = alerts.map((alert) => holding.findLast((one) => isAbout(one, alert)));
  const known = found.filter((one) => one !== undefined);
  if (known.length === 0 || known.length < found.length) return null;
  const [first] = known.toSorted((a, b) => a.endsAt.getTime() - b.endsAt.getTime()) as [Maintenance];
  const what = first.origin === BY_PERSON ? `maintenance ${first.id}` : `a silence of ${first.origin} (${first.id})`;
  return { because: `${what} of ${first.madeBy}: ${first.reason}`, until: first.endsAt };
}
