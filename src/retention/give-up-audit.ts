/** The oldest part of the audit: given up by a sealed word in the audit itself, then deleted by a function of the database. */
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { PRUNED_SEALS_MAX } from '../audit/index.ts';
import type { Database } from '../database/index.ts';
import { addEvents, incidentName } from '../incident/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { before, one, sweep } from './sweep.ts';

const SEALED_LOOKS = 20;
const SEALED_LOOK_MS = 250;

export interface AuditDependencies {
  readonly db: Database;
  /** Seals what is committed; see `Sealer`. */
  readonly sealNow: () => Promise<number>;
  readonly log: Logger;
}

/**
 * Gives up what was sealed over so many days ago, a day's worth at least, and deletes it; gives the number of rows. The application's role
 * may delete nothing: the function `prune_audit` does, and the triggers of the tables refuse it whatever is younger than 30 days, is not
 * the oldest part, or is not named by a sealed `audit.pruned`.
 */
export async function giveUpAudit(
  { db, sealNow, log }: AuditDependencies,
  days: number,
  signal: AbortSignal,
): Promise<number> {
  let total = 0;
  while (!signal.aborted) {
    const said = await one(db, () => sayWhatGoes(db, days, log));
    if (!said) return total;
    if (!(await isSealed(db, said, sealNow))) {
      log.warn({ seal: said }, 'what goes of the audit is not sealed yet; it is tried again in an hour');
      return total;
    }
    const deleted = await sweep(
      db,
      async (size) => {
        const { rows } = await sql<{
          events: number;
          seals: number;
        }>`select * from prune_audit(${size}::integer)`.execute(db.q);
        const { events, seals } = rows[0] ?? { events: 0, seals: 0 };
        return { deleted: events + seals, more: events + seals > 0 };
      },
      signal,
    );
    if (deleted === 0) return total;
    total += deleted;
  }
  return total;
}

/** Writes the event that names the last seal that goes, in the current transaction; gives its number, or null where there is nothing to say. */
async function sayWhatGoes(db: Database, days: number, log: Logger): Promise<string | null> {
  const open = await db.q
    .selectFrom('incident')
    .select(['id', 'opened_at'])
    .where('closed_at', 'is', null)
    .where('opened_at', '<', before(days))
    .orderBy('opened_at')
    .limit(1)
    .executeTakeFirst();
  if (open)
    log.warn(
      { incident: incidentName(open.id), openedAt: open.opened_at },
      'the audit is kept since this incident was opened, because it is still open',
    );
  // Whatever an incident's events are sealed by is younger than the incident.
  const { rows } = await sql<{ id: string; sha256: string; events: number; old: boolean; ripe: boolean }>`
    select id::text as id, sha256, octet_length(event_sha256) / 32 as events, at < edge as old, at < edge - interval '1 day' as ripe
    from seal, lateral (select least(${before(days)}, (
      select min(opened_at) from incident where closed_at is null)) as edge) as kept
    order by seal.id limit ${PRUNED_SEALS_MAX}`.execute(db.q);
  const young = rows.findIndex(({ old }) => !old);
  const going = young === -1 ? rows : rows.slice(0, young);
  const last = going.at(-1);
  // The first may be all that is left of the time before.
  if (!last || !going[1]?.ripe) return null;
  const data = {
    seal: last.id,
    sha256: last.sha256,
    seals: going.length,
    events: going.reduce((sum, { events }) => sum + events, 0),
    days,
  };
  await addEvents(db, null, [{ type: 'audit.pruned', actor: 'nightshift', data }]);
  return last.id;
}

async function isSealed(db: Database, seal: string, sealNow: () => Promise<number>): Promise<boolean> {
  for (let look = 0; look < SEALED_LOOKS; look += 1) {
    await sealNow();
    const { rows } = await sql<{ named: string | null }>`select audit_given_up()::text as named`.execute(db.q);
    if (rows[0]?.named === seal) return true;
    await pause(SEALED_LOOK_MS);
  }
  return false;
}
