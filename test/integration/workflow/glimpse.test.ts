/** What is seen beside an incident when it is read for a stage, because a stage asks no more for what was not seen. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeMatcher } from '../../../src/alert/index.ts';
import { type Database, json } from '../../../src/database/index.ts';
import {
  addMaintenance,
  contextSchema,
  createJournal,
  type Glimpse,
  type Incident,
  loadForStage,
  loadIncident,
  moveIncident,
  openIncident,
  replaceMaintenance,
  type State,
  timeOf,
} from '../../../src/incident/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { addPastRun } from '../gate/past-runs.ts';

const HOUR_MS = 3_600_000;

describe.each(databases)('what is seen beside an incident on $name', ({ open }) => {
  let db: Database;
  let id: number;
  beforeAll(async () => {
    db = await open();
  });
  afterAll(async () => {
    await db?.close();
  });
  beforeEach(async () => {
    id = await openIncident(db, {
      ...{ state: 'received', correlationKey: `${Math.random()}`, title: 't', severity: 'critical', labels: {} },
      ...{ context: { v: 1 }, because: 'a test', actor: 'nightshift' },
    });
  });

  const load = async () => (await loadForStage(db, id)).incident;
  const move = async (state: State, attempt = 0) => {
    const context = contextSchema.parse({ v: 1, attempt });
    const nothing = { events: [], messages: [], heard: [], leaves: false, unlessWoken: false, provided: sql`true` };
    return (await moveIncident(db, await loadIncident(db, id), { ...nothing, state, context })) as Incident;
  };
  /** The same whether it is loaded, or was just moved by this very process. */
  const seen = async (what: keyof Glimpse) => {
    const { state, context } = await loadIncident(db, id);
    const [moved, loaded] = [await move(state, context.attempt), await load()];
    expect(moved.glimpse?.[what]).toEqual(loaded.glimpse?.[what]);
    return loaded.glimpse?.[what];
  };

  it('is a maintenance that is in force, and none that is over or still to come', async () => {
    const now = Date.now();
    const between = async (startsAt: number, endsAt: number) => {
      const times = { startsAt: new Date(now + startsAt), endsAt: new Date(now + endsAt) };
      const of = { origin: 'person', matchers: [makeMatcher('a', '=', 'b')], reason: 'r', madeBy: 'ana' };
      await addMaintenance(db, { id: `mnt-${startsAt}`, ...of, ...times });
    };
    expect(await seen('maintenance')).toBe(false);
    await between(-2 * HOUR_MS, -HOUR_MS);
    await between(HOUR_MS, 2 * HOUR_MS);
    expect(await seen('maintenance')).toBe(false);
    await between(-HOUR_MS, HOUR_MS);
    expect(await seen('maintenance')).toBe(true);
    await replaceMaintenance(db, 'person', []);
  });

  it('is what the journal has of the very stage, cycle and attempt', async () => {
    await createJournal(db, await load())('look', async () => 'received');
    expect(await seen('journal')).toBe(true);
    expect((await move('triaged')).glimpse?.journal).toBe(false);
    await createJournal(db, await load())('look', async () => 'triaged');
    expect(await seen('journal')).toBe(true);
    expect((await move('triaged', 1)).glimpse?.journal).toBe(false);
    expect((await move('triaged')).glimpse?.journal).toBe(true);
    await db.q.updateTable('incident').set({ cycle: 2 }).where('id', '=', id).execute();
    expect(await seen('journal')).toBe(false);
  });

  it('leaves the journal to who was first, also where both saw it empty', async () => {
    const [first, second] = [createJournal(db, await load()), createJournal(db, await load())];
    expect(await first('look', async () => 'first')).toBe('first');
    expect(await second('look', async () => 'second')).toBe('first');
  });

  it('is a call that was sent with a secret put back, and none that was only planned', async () => {
    const of = { incidentId: id, cycle: 1 };
    const run = async (args: object, sentDaysAgo: number | null, ordinal: number) => {
      const { action } = await addPastRun(db, { labels: {}, of, ordinal, sentDaysAgo });
      await db.q
        .updateTable('action')
        .set({ arguments: json(args) })
        .where('id', '=', action)
        .execute();
    };
    await run({ token: '[redacted:0a1b]' }, null, 1);
    await run({ token: 'plain' }, 0, 2);
    expect(await seen('sentSecret')).toBe(false);
    await run({ token: '[redacted:0a1b]' }, 0, 3);
    expect(await seen('sentSecret')).toBe(true);
  });

  it('is the time of the database, which is asked where nothing was seen', async () => {
    const before = await db.now();
    const { glimpse } = await load();
    expect(glimpse?.at.getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(await timeOf(db, await load())).toBeInstanceOf(Date);
    const unseen = await loadIncident(db, id);
    expect(unseen.glimpse).toBeNull();
    expect((await timeOf(db, unseen)).getTime()).toBeGreaterThanOrEqual(glimpse?.at.getTime() ?? 0);
  });
});
