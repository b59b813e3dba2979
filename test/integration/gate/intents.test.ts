/** What is written before an action is sent, and after. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { addIntent, finishIntent } from '../../../src/execution/intent.ts';
import { databases } from '../../real-parts/databases.ts';
import { addPastRun } from './past-runs.ts';

const inspection = { uid: '8:42', population: null, preview: ['restarts it'] };
let serial = 0;

describe.each(databases)('the intent of an action on $name', ({ open }) => {
  let db: Database;
  let action: { id: string; target: string };
  beforeAll(async () => {
    db = await open();
  });
  afterAll(async () => {
    await db?.close();
  });
  beforeEach(async () => {
    serial += 1;
    const target = `shop:process ${serial}`;
    const { action: id } = await addPastRun(db, { labels: {}, target, sentDaysAgo: null });
    action = { id, target };
  });

  const add = (isCleared = true) =>
    db.transaction(() => addIntent(db, { action, inspection, timeoutSeconds: 60 }, async () => isCleared));
  const rows = () =>
    db.q
      .selectFrom('action as a')
      .leftJoin('intent as i', 'i.action_id', 'a.id')
      .select(['a.status', 'a.inspection', 'a.result', 'i.action_id as intent', 'i.outcome', 'i.result as came'])
      .where('a.id', '=', action.id)
      .executeTakeFirstOrThrow();
  const UNSENT = { status: 'denied', inspection: null, intent: null };

  it('is there once, and the action runs from then on', async () => {
    expect(await add()).toBe('added');
    const running = { status: 'running', inspection, intent: action.id, outcome: null };
    expect(await rows()).toMatchObject(running);
    // Nobody knows yet what becomes of it, so its target is taken.
    expect(await add()).toBe('busy');
    await db.q
      .updateTable('intent')
      .set({ busy_until: new Date(0) })
      .where('action_id', '=', action.id)
      .execute();
    await expect(add()).rejects.toThrow(/duplicate key/);
    expect(await rows()).toMatchObject(running);
  });

  it('is not there where it is not cleared any more, and nothing runs', async () => {
    expect(await add(false)).toBe('refused');
    expect(await rows()).toMatchObject(UNSENT);
  });

  it.each(['succeeded', 'failed', 'unknown'] as const)('ends as the action does: %s', async (outcome) => {
    await add();
    await finishIntent(db, action.id, { outcome, said: { a: 1 } });
    expect(await rows()).toMatchObject({ status: outcome, result: { a: 1 }, outcome, came: { a: 1 } });
  });

  it('ends also where the action was not sent after all', async () => {
    await add();
    const said = { error: 'it was not sent' };
    await finishIntent(db, action.id, { outcome: 'failed', said, status: 'cancelled' });
    expect(await rows()).toMatchObject({ status: 'cancelled', result: null, outcome: 'failed', came: said });
  });

  it('need not be there for an action that could not even be started', async () => {
    await finishIntent(db, action.id, { outcome: 'failed', said: { error: 'no process' } });
    expect(await rows()).toMatchObject({ status: 'failed', result: { error: 'no process' }, intent: null });
  });
});
