/** Scores that are to be sent: a server that fails is asked again later, one that refuses is not, and nobody asks twice at a time. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { createLangfuse, type Langfuse } from '../../../src/learning/langfuse.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { rawServer, sendJson } from '../llm/raw-server.ts';

describe.each(anyDatabase)('scores for Langfuse, on a $name database', ({ open }) => {
  let db: Database;
  let server: Awaited<ReturnType<typeof rawServer>>;
  let langfuse: Langfuse;
  let answers: number[] = [];

  beforeAll(async () => {
    db = await open();
    server = await rawServer((response) => sendJson(response, answers.shift() ?? 200, { id: 'x' }));
    const config = { baseUrl: `${server.url}/`, publicKey: 'pk', secretKey: 'sk' };
    langfuse = createLangfuse({ db, config, log: createLogger('debug', { write: () => undefined }) });
  });
  beforeEach(async () => {
    server.requests.length = 0;
    answers = [];
    await db.q.deleteFrom('model_score').execute();
    const incident = {
      ...{ state: 'resolved', correlation_key: crypto.randomUUID(), title: 't', severity: 'critical' },
      ...{ labels: '{}', trace_id: 'f'.repeat(32), context: '{"v":1}', closed_at: new Date() },
    };
    const { id } = await db.q.insertInto('incident').values(incident).returning('id').executeTakeFirstOrThrow();
    const scores = { model: 'm', cause: 0.9, grounded: 0.5, outcome: 0, reason: 'cause: E1 says so.' };
    await db.q
      .insertInto('model_score')
      .values({
        incident_id: id,
        cycle: 1,
        status: 'scored',
        due_at: new Date(),
        judged: '[]',
        ...scores,
        send_due_at: new Date(0),
      })
      .execute();
  });
  afterAll(async () => {
    await server?.close();
    await db?.close();
  });

  const row = () => db.q.selectFrom('model_score').selectAll().executeTakeFirstOrThrow();

  it('are sent once, each under its own id', async () => {
    expect(await langfuse.sendNext()).toBe(true);
    expect(server.requests.map(({ path, body }) => [path, body.id, body.name, body.value])).toEqual(
      [
        ['cause', 0.9],
        ['grounded', 0.5],
        ['outcome', 0],
      ].map(([name, value]) => [
        '/api/public/scores',
        `nightshift-${'f'.repeat(32)}-1-${name}`,
        `nightshift.${name}`,
        value,
      ]),
    );
    expect(await row()).toMatchObject({ send_due_at: null, sent_at: expect.any(Date), send_problem: null });
    expect(await langfuse.sendNext()).toBe(false);
  });

  it('are sent again later after a failure, and no more than eight times', async () => {
    answers = Array<number>(8).fill(503);
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      expect(await langfuse.sendNext()).toBe(true);
      const { send_due_at: due, send_problem: problem } = await row();
      expect(problem).toContain('503');
      if (attempt < 8) expect(due?.getTime()).toBeGreaterThan(Date.now() + 20_000);
      else expect(due).toBeNull();
      if (attempt < 8)
        await db.q
          .updateTable('model_score')
          .set({ send_due_at: new Date(0) })
          .execute();
    }
    expect(await langfuse.sendNext()).toBe(false);
  });

  it('are not sent again where the server refuses them', async () => {
    answers = [401];
    expect(await langfuse.sendNext()).toBe(true);
    expect(await row()).toMatchObject({
      send_due_at: null,
      sent_at: null,
      send_problem: expect.stringContaining('401'),
    });
    expect(server.requests).toHaveLength(1);
  });

  it('are sent by one of several at a time', async () => {
    const sent = await Promise.all([langfuse.sendNext(), langfuse.sendNext(), langfuse.sendNext()]);
    expect(sent.filter(Boolean)).toHaveLength(1);
    expect(server.requests).toHaveLength(3);
  });
});
