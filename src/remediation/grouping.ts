import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Matcher } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import type { Identity } from '../identity/index.ts';
import {
  addEvents,
  addMaintenance,
  endMaintenance,
  isFoldable,
  listMaintenance,
  lockOpenings,
  type Maintenance,
  merge,
  replaceMaintenance,
  STATES,
  split,
  writeMatcher,
} from '../incident/index.ts';
import type { Driver } from './driver.ts';
import { refuseUnlessListed } from './people.ts';

const DAY_MS = 24 * 3600 * 1000;
const LONGEST_DAYS = 90;

/** What people say about which incidents belong together, and about when nothing is to be done. */
export interface Grouping {
  /** Folds one incident under another; gives under which it is now. @throws NightshiftError `not_found`, `conflict`. */
  merge(childId: number, parentId: number, by: string): Promise<number>;
  /** Takes an incident out from under another; it is worked on by itself from now on. @throws NightshiftError `not_found`, `conflict`. */
  split(id: number, by: string): Promise<void>;
  /** Begins a time in which nothing is done about alerts that match; gives its id. @throws NightshiftError `invalid_payload`. */
  beginMaintenance(begun: {
    matchers: readonly Matcher[];
    reason: string;
    from: Date | null;
    until: Date;
    by: string;
  }): Promise<Maintenance>;
  /** Ends one before its time. @throws NightshiftError `not_found`, `conflict`. */
  endMaintenance(id: string, by: string): Promise<void>;
  /** Puts the silences of an Alertmanager in place of those that it had before. */
  setSilences(source: string, silences: readonly Omit<Maintenance, 'origin'>[]): Promise<void>;
}

/** Makes what people say about groups and times; each is committed with its wake-ups before it is answered. */
export function createGrouping({
  db,
  driver,
  identity,
}: {
  db: Database;
  driver: Driver;
  identity: Pick<Identity, 'mayDecide'>;
}): Grouping {
  const byOneWhoMay = (by: string) => refuseUnlessListed(identity, by);
  const commit = async <T>(run: () => Promise<T>): Promise<T> => {
    const result = await db.transaction(async () => {
      await lockOpenings(db);
      return run();
    });
    driver.kick();
    return result;
  };

  /** What waits for a maintenance looks again whether it still has to, and what is just about to wait as well. */
  async function wakeHeld(): Promise<void> {
    const { rows } = await sql<{ id: number }>`
      select id from incident
      where state in (${sql.join(STATES.filter(isFoldable))}) and parent_id is null
      order by id`.execute(db.q);
    await driver.wake(rows.map(({ id }) => id));
  }

  return {
    merge: (childId, parentId, by) =>
      commit(() => {
        byOneWhoMay(by);
        return merge(db, childId, parentId, by);
      }),
    split: (id, by) =>
      commit(async () => {
        byOneWhoMay(by);
        await split(db, id, by);
        await driver.wake([id], 'person');
      }),
    async beginMaintenance({ matchers, reason, from, until, by }) {
      byOneWhoMay(by);
      const now = await db.now();
      const startsAt = from ?? now;
      refuseUnlessSensible(matchers, startsAt, until, now);
      const id = `mnt-${randomBytes(4).toString('hex')}`;
      const one = { id, origin: 'person', matchers, reason, madeBy: by, startsAt, endsAt: until };
      return commit(async () => {
        await addMaintenance(db, one);
        await addEvents(db, null, [{ type: 'maintenance.begun', actor: by, data: describe(one) }]);
        return one;
      });
    },
    endMaintenance: (id, by) =>
      commit(async () => {
        byOneWhoMay(by);
        await endMaintenance(db, id);
        await addEvents(db, null, [{ type: 'maintenance.ended', actor: by, data: { id } }]);
        await wakeHeld();
      }),
    async setSilences(source, silences) {
      const known = (await listMaintenance(db)).filter(({ origin }) => origin === source);
      const one = (all: readonly Omit<Maintenance, 'origin'>[]) => JSON.stringify(all.map(describe));
      if (one(known.toSorted(byId)) === one(silences.toSorted(byId))) return;
      await commit(async () => {
        await replaceMaintenance(db, source, silences);
        await addEvents(db, null, [
          { type: 'silences.changed', actor: source, data: { silences: silences.map(describe) } },
        ]);
        await wakeHeld();
      });
    },
  };
}

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);

function describe({ id, matchers, reason, madeBy, startsAt, endsAt }: Omit<Maintenance, 'origin'>) {
  return { id, match: matchers.map(writeMatcher), reason, by: madeBy, from: startsAt, until: endsAt };
}

function refuseUnlessSensible(matchers: readonly Matcher[], from: Date, until: Date, now: Date): void {
  const refuse = (field: string, value: string, message: string, fix: string): never => {
    throw new NightshiftError('invalid_payload', `${field} ${message}. Fix: ${fix}`, {
      problems: [{ field, value, message, fix }],
    });
  };
  if (matchers.length === 0)
    refuse('match', '', 'is empty, which would be everything', 'name at least one label, or pause all of it');
  if (matchers.every(({ operator, regex }) => operator === '=~' && regex?.matches('')))
    refuse(
      'match',
      matchers.map(writeMatcher).join(', '),
      'fits everything',
      'name what it is about, or pause all of it',
    );
  if (until <= from || until <= now)
    refuse('until', until.toISOString(), 'is not later than its start, or over', 'name a later time');
  if (until.getTime() - from.getTime() > LONGEST_DAYS * DAY_MS)
    refuse('until', until.toISOString(), `is more than ${LONGEST_DAYS} days after its start`, 'name an earlier time');
}
