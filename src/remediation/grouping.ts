import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Labels, Matcher } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import type { Identity } from '../identity/index.ts';
import {
  addEvents,
  addMaintenance,
  endMaintenance,
  isAbout,
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

  /** What one of these is about looks again whether it has to wait, and what is just about to wait as well. */
  async function wakeConcerned(changed: readonly Maintenance[]): Promise<void> {
    if (changed.length === 0) return;
    // No other alert comes meanwhile: that takes the lock that is held here.
    const { rows } = await sql<{ id: number; source: string; labels: Labels }>`
      select distinct i.id, a.source, a.labels from incident i join alert a on a.incident_id = i.id and a.cycle = i.cycle
      where i.state in (${sql.join(STATES.filter(isFoldable))}) and i.parent_id is null and a.status = 'firing'
      order by i.id`.execute(db.q);
    const concerned = rows.filter((alert) => changed.some((one) => isAbout(one, alert)));
    await driver.wake([...new Set(concerned.map(({ id }) => id))]);
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
        await wakeConcerned([one]);
        return one;
      });
    },
    endMaintenance: (id, by) =>
      commit(async () => {
        byOneWhoMay(by);
        const ended = (await listMaintenance(db)).filter((one) => one.id === id);
        await endMaintenance(db, id);
        await addEvents(db, null, [{ type: 'maintenance.ended', actor: by, data: { id } }]);
        await wakeConcerned(ended);
      }),
    async setSilences(source, silences) {
      const told = silences.map((one) => ({ ...one, origin: source }));
      const changed = async () => {
        const known = (await listMaintenance(db)).filter(({ origin }) => origin === source);
        return [...missingFrom(told, known), ...missingFrom(known, told)];
      };
      if ((await changed()).length === 0) return;
      await commit(async () => {
        const concerning = await changed();
        // Another replica has asked as well, and was first.
        if (concerning.length === 0) return;
        await replaceMaintenance(db, source, silences);
        await addEvents(db, null, [
          { type: 'silences.changed', actor: source, data: { silences: silences.map(describe) } },
        ]);
        await wakeConcerned(concerning);
      });
    },
  };
}

/** Gives those of some that are not, as they are, among others. */
function missingFrom(others: readonly Maintenance[], some: readonly Maintenance[]): Maintenance[] {
  const there = new Set(others.map((one) => JSON.stringify(describe(one))));
  return some.filter((one) => !there.has(JSON.stringify(describe(one))));
}

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
