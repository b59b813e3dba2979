/** A model that had no part in it scores what is over, afterwards; people vote; what both say is compared, and sent on. */
import { LLMock } from '@copilotkit/aimock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { anyDatabase } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { rawServer, sendJson } from '../llm/raw-server.ts';
import { alert, type Service, startNightshift, startService, type TestNightshift } from '../support/nightshift.ts';

const RUNBOOK = `---
match: ['alertname="SpoolStuck"']
---
# Spool is stuck
A poison job blocks the workers, and every job behind it waits.
`;
const DIAGNOSIS = {
  root_cause: 'A poison job blocks the workers.',
  confidence: 'high',
  citations: [{ evidence: 'E1', quote: 'A poison job blocks the workers' }],
  components: [],
  ruled_out: [],
  unknowns: [],
  inconclusive: false,
};
const SCORES = {
  cause: { score: 0.9, why: 'E1 says so.' },
  grounded: { score: 0.8, why: 'The quote carries it.' },
  outcome: { score: 0.7, why: 'It was handed over in time.' },
};
const IS_JUDGE = /You score how an incident was handled/;

interface Scores {
  readonly agreement: Record<string, number | null>;
  readonly scores: readonly (Record<string, unknown> & { incident: string; status: string; reason: string })[];
}

describe.each(anyDatabase)('the judge, on a $name database', ({ name: database }) => {
  const mock = new LLMock({ port: 0 });
  let langfuse: Awaited<ReturnType<typeof rawServer>>;
  let answers: number[];
  let service: Service;
  let nightshift: TestNightshift;
  let number = 0;

  beforeAll(async () => {
    await mock.start();
    service = await startService();
    await service.jam();
    answers = [];
    langfuse = await rawServer((response) => sendJson(response, answers.shift() ?? 207, { id: 'x' }));
    const model = { provider: 'openai', baseUrl: `${mock.url}/v1`, timeoutSeconds: 3 };
    nightshift = await startNightshift({
      database,
      runbooks: { 'spool.md': RUNBOOK },
      config: {
        models: [
          { ...model, name: 'worker', model: 'worker' },
          { ...model, name: 'other', model: 'other' },
        ],
        routing: { diagnose: { models: ['worker'] }, plan: { models: ['worker'] }, critique: { models: ['worker'] } },
        investigation: { steps: 0 },
        correlation: { by: ['service'] },
        judge: { share: 1, langfuse: { baseUrl: langfuse.url, publicKey: 'pk-lf-test', secretKey: 'sk-lf-test' } },
      },
    });
  });
  beforeEach(() => {
    mock.reset();
    mock.on({ systemMessage: /You plan the remedy/ }, { content: 'Nothing on offer fits.' });
    mock.on({ systemMessage: /root cause/ }, { content: JSON.stringify(DIAGNOSIS) });
  });
  afterAll(async () => {
    await nightshift?.stop();
    await service?.stop();
    await langfuse?.close();
    await mock.stop();
  });

  const judgeSays = (content: string | object) =>
    mock.prependFixture({
      match: { systemMessage: IS_JUDGE },
      response: { content: typeof content === 'string' ? content : JSON.stringify(content) },
    });
  const escalated = async () => {
    number += 1;
    const labels = { instance: service.instance, spool: 'shop', service: `shop-${number}` };
    const { body } = await nightshift.deliver([alert(labels, { fingerprint: `f${number}` })]);
    const [id] = body.incidents as number[];
    return nightshift.until(id as number, 'escalated');
  };
  const scoreOf = async (incident: string, status = 'scored') =>
    eventually(
      `a score of ${incident}`,
      async () => {
        const { body } = await nightshift.api<Scores>('/judge');
        return body.scores.find((one) => one.incident === incident && one.status === status);
      },
      20,
    );
  const asked = () =>
    mock.getRequests().filter(({ body }) => IS_JUDGE.test(JSON.stringify((body as { messages: unknown }).messages)));

  it('is another model than the one that diagnosed, sees the work and not how sure it was, and scores once', async () => {
    judgeSays(SCORES);
    const { id, events } = await escalated();
    expect(events.some(({ type }) => type === 'judge.scored')).toBe(false);
    const score = await scoreOf(id);
    expect(score).toMatchObject({ model: 'other', cause: 0.9, grounded: 0.8, outcome: 0.7, good: true });
    expect(asked().map(({ body }) => (body as { model: string }).model)).toEqual(['other']);
    const said = JSON.stringify(asked()[0]?.body);
    expect(said).toContain('A poison job blocks the workers.');
    expect(said).not.toContain('confidence\\\\\\":\\\\\\"high');
    const { events: after, state } = await nightshift.incident(Number(id.slice(4)));
    expect(state).toBe('escalated');
    expect(after.filter(({ type }) => type === 'judge.scored')).toHaveLength(1);
    // Its next turns find nothing to ask about.
    await new Promise((resolve) => setTimeout(resolve, 6000));
    expect(asked()).toHaveLength(1);
  });

  it('is asked again about scores that are none, and gives up in the end without harm', async () => {
    judgeSays({ ...SCORES, cause: { score: 7, why: 'very good' } });
    const { id } = await escalated();
    await eventually('two questions', async () => (asked().length >= 2 ? true : undefined), 20);
    expect(JSON.stringify(asked()[1]?.body)).toContain('cannot be used');
    const { state, events } = await nightshift.incident(Number(id.slice(4)));
    expect(state).toBe('escalated');
    expect(events.filter(({ type }) => type === 'stage.failed' || type === 'judge.scored')).toEqual([]);
  });

  it('sends its scores to Langfuse, and lets no failure there harm anything', async () => {
    langfuse.requests.length = 0;
    answers.push(500);
    judgeSays(SCORES);
    const { id } = await escalated();
    await scoreOf(id);
    await eventually('an attempt', async () => (langfuse.requests.length >= 1 ? true : undefined), 20);
    const [first] = langfuse.requests;
    expect(first?.headers.authorization).toBe(`Basic ${Buffer.from('pk-lf-test:sk-lf-test').toString('base64')}`);
    expect(first?.body).toMatchObject({ name: 'nightshift.cause', value: 0.9, dataType: 'NUMERIC' });
    expect(first?.body.traceId).toMatch(/^[0-9a-f]{32}$/);
    const scored = await nightshift.incident(Number(id.slice(4)));
    expect(scored.state).toBe('escalated');
  });

  it("compares what it says with people's latest words, each with its reason on the timeline", async () => {
    judgeSays(SCORES);
    const { id } = await escalated();
    await scoreOf(id);
    const before = (await nightshift.api<Scores>('/judge')).body.agreement;
    const vote = (verdict: string, why = '') => nightshift.api(`/incidents/${id}/feedback`, { verdict, why });
    expect((await vote('good')).status).toBe(200);
    expect((await nightshift.api<Scores>('/judge')).body.agreement).toMatchObject({
      bothGood: (before.bothGood ?? 0) + 1,
    });
    expect((await vote('bad', 'it only handed over')).status).toBe(200);
    const { agreement } = (await nightshift.api<Scores>('/judge')).body;
    expect(agreement).toMatchObject({ bothGood: before.bothGood, judgeGood: (before.judgeGood ?? 0) + 1 });
    const { events } = await nightshift.incident(Number(id.slice(4)));
    expect(events.filter(({ type }) => type === 'person.rated').map(({ data }) => data)).toEqual([
      { helpful: true, cycle: 1 },
      { helpful: false, cycle: 1, why: 'it only handed over' },
    ]);
    expect((await nightshift.api(`/incidents/${id}/feedback`, { verdict: 'perhaps' })).status).toBe(400);
  });
});
