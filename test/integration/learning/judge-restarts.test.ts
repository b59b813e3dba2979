/** Whoever asks the judge may be gone before the answer is there, or come back after somebody else asked: each incident has one score, and none is lost. */
import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Database, json } from '../../../src/database/index.ts';
import { createJudge, type Judge } from '../../../src/learning/index.ts';
import { createModels } from '../../../src/llm/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { openQuietly } from '../diagnosis/stages.ts';
import { openaiText, rawServer, sendJson } from '../llm/raw-server.ts';
import { modelsConfig } from '../support/models.ts';

const DIAGNOSIS = {
  mode: 'model',
  model: 'worker',
  rootCause: 'The pool is exhausted.',
  confidence: 'high',
  inconclusive: false,
  citations: [],
  ruledOut: [],
  unknowns: [],
};

describe.each(anyDatabase)('a judge that is interrupted, on a $name database', ({ open }) => {
  let db: Database;
  let server: Awaited<ReturnType<typeof rawServer>>;
  /** Questions that nobody has answered yet. */
  let waiting: ServerResponse[] = [];
  let judges: Judge[] = [];
  let id: number;

  beforeAll(async () => {
    db = await open();
    server = await rawServer((response) => void waiting.push(response));
  });
  beforeEach(async () => {
    id = await openQuietly(db, { context: { diagnosis: DIAGNOSIS } });
    await db.q.updateTable('incident').set({ state: 'escalated' }).where('id', '=', id).execute();
  });
  afterEach(async () => {
    await Promise.all(judges.map((judge) => judge.stop()));
    for (const response of waiting) response.destroy();
    [judges, waiting] = [[], []];
    // It is over for good: no later test is about it.
    await db.q
      .updateTable('incident')
      .set({ state: 'stopped', closed_at: new Date(), context: json({ v: 1 }) })
      .where('id', '=', id)
      .execute();
    await db.q.deleteFrom('model_score').execute();
  });
  afterAll(async () => {
    await server.close();
    await db.close();
  });

  /** One replica, or one start of the same; it asks at once where there is something to ask about. */
  const start = (name = 'other'): Judge => {
    const model = { provider: 'openai' as const, model: name, name, baseUrl: `${server.url}/v1` };
    const metrics = createMetrics();
    const models = createModels(modelsConfig([{ ...model, timeoutSeconds: 30 }]), { db, metrics });
    const judge = createJudge({ db, models, config: { share: 1 }, metrics, log: createLogger('silent') });
    judges.push(judge);
    judge.start();
    return judge;
  };
  const asked = (count: number) =>
    eventually(`${count} question(s)`, async () => (waiting.length >= count ? true : undefined), 20);
  const answer = (which: number, score: number) => {
    const one = { score, why: 'E1 says so.' };
    sendJson(
      waiting[which] as ServerResponse,
      200,
      openaiText(JSON.stringify({ cause: one, grounded: one, outcome: one })),
    );
  };
  const row = () => db.q.selectFrom('model_score').selectAll().where('incident_id', '=', id).executeTakeFirst();
  const ended = (status: string) =>
    eventually(`the score to be ${status}`, async () => ((await row())?.status === status ? row() : undefined), 20);
  const scoredEvents = async () =>
    (await db.q.selectFrom('event').select('type').where('incident_id', '=', id).execute()).filter(
      ({ type }) => type === 'judge.scored',
    );
  const timePasses = () => db.executeSql("update model_score set due_at = clock_timestamp() - interval '1 second'");
  /** Longer than whoever is idle needs to look; what is under way has its claim for minutes. */
  const aMoment = () => new Promise((resolve) => setTimeout(resolve, 700));

  it('leaves what was begun to whoever began it, and takes it over once nobody can be at it any more', async () => {
    start();
    await asked(1);
    start();
    await aMoment();
    expect(waiting).toHaveLength(1);

    // The first one is gone for good, and never hears its answer.
    await timePasses();
    start();
    await asked(2);
    answer(1, 0.9);
    expect(await ended('scored')).toMatchObject({ attempts: 2, cause: 0.9, model: 'other' });
    expect(await scoredEvents()).toHaveLength(1);

    // What is scored is asked about by nobody, however long ago it was due.
    await timePasses();
    start();
    await aMoment();
    expect(waiting).toHaveLength(2);
  });

  it('keeps one score where whoever was thought to be gone comes back with another', async () => {
    start();
    await asked(1);
    await timePasses();
    start();
    await asked(2);
    answer(1, 0.9);
    await ended('scored');
    answer(0, 0.1);
    await eventually('the answer to be paid for', async () => {
      const calls = await db.q.selectFrom('model_call').select('id').where('incident_id', '=', id).execute();
      return calls.length === 2 ? true : undefined;
    });
    await aMoment();
    expect(await row()).toMatchObject({ status: 'scored', cause: 0.9 });
    expect(await scoredEvents()).toHaveLength(1);
  });

  it('is asked again at once after a stop in between, which counts as no attempt', async () => {
    const judge = start();
    await asked(1);
    await judge.stop();
    expect(await row()).toMatchObject({ status: 'asking', attempts: 0 });
    start();
    await asked(2);
    answer(1, 0.8);
    expect(await ended('scored')).toMatchObject({ attempts: 1 });
    expect(await scoredEvents()).toHaveLength(1);
  });

  it('gives up what it is stopped by every time', async () => {
    for (const number of [1, 2, 3]) {
      start();
      await asked(number);
      await timePasses();
    }
    start();
    expect(await ended('given_up')).toMatchObject({ reason: 'whoever asked did not come back' });
    await aMoment();
    expect(waiting).toHaveLength(3);
  });

  it('waits after a failure, tries again, and says in the end why nobody scored it', async () => {
    for (const number of [1, 2, 3]) {
      start();
      await asked(number);
      sendJson(waiting[number - 1] as ServerResponse, 400, { error: { message: 'no' } });
      if (number < 3) {
        await eventually('the failure to be noted', async () => {
          const now = await row();
          const seconds = ((now?.due_at.getTime() ?? 0) - (await db.now()).getTime()) / 1000;
          return now?.attempts === number && seconds > 60 * number && seconds <= 120 * number ? true : undefined;
        });
        expect(await row()).toMatchObject({ status: 'asking' });
        await timePasses();
      }
    }
    expect(await ended('given_up')).toMatchObject({ reason: expect.stringContaining('other: ') });
    expect(await scoredEvents()).toEqual([]);
  });

  it('asks nobody about their own work, and says so at once', async () => {
    start('worker');
    expect(await ended('given_up')).toMatchObject({
      attempts: 1,
      reason: 'there is no model but those whose work it is',
    });
    expect(waiting).toEqual([]);
  });

  it('scores nothing that fired again meanwhile', async () => {
    start();
    await asked(1);
    await db.q.updateTable('incident').set({ cycle: 2, state: 'received' }).where('id', '=', id).execute();
    await timePasses();
    start();
    expect(await ended('given_up')).toMatchObject({ cycle: 1, reason: 'it is open again' });
    expect(waiting).toHaveLength(1);
  });
});
