/** Every call is on record and paid for, ceilings hold, and an answer that was given stands in when nobody answers. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { createModels, type ModelRequest } from '../../../src/llm/index.ts';
import { createMetrics } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { modelsConfig, promptOf } from '../support/models.ts';
import { anthropicText, openaiText, rawServer, sendJson } from './raw-server.ts';

const TOKEN = `ghp_${'a1B2'.repeat(9)}`;

describe.each(anyDatabase)('on a $name database', ({ open }) => {
  let db: Database;
  let server: Awaited<ReturnType<typeof rawServer>>;
  /** What is answered, and with which status, until it is set otherwise. */
  let answer: { status: number; body: unknown };
  let serial = 0;

  beforeAll(async () => {
    db = await open();
    server = await rawServer((response) => sendJson(response, answer.status, answer.body));
  });
  beforeEach(async () => {
    await db.q.deleteFrom('model_call').execute();
    await db.q.deleteFrom('model_spending').execute();
    // A hundred thousand tokens each way.
    answer = {
      status: 200,
      body: { ...openaiText('fine'), usage: { prompt_tokens: 100_000, completion_tokens: 10_000 } },
    };
  });
  afterAll(async () => {
    await server.close();
    await db.close();
  });

  const question = (more: Partial<ModelRequest> = {}): ModelRequest => ({
    role: 'diagnose',
    prompts: [promptOf('You look.'), promptOf('Closely.', 'specialist')],
    messages: [{ role: 'user', content: `question ${serial++}` }],
    maxTokens: 100,
    signal: new AbortController().signal,
    incidentId: null,
    ...more,
  });
  const priced = (name: string, tier: 'frontier' | 'small', input: number) => ({
    ...{
      name,
      tier,
      provider: 'openai' as const,
      model: name,
      baseUrl: `${server.url}/v1`,
      price: { input, output: input * 10 },
    },
  });
  const modelsOf = (configs: Parameters<typeof modelsConfig>[0], more: Parameters<typeof modelsConfig>[1] = {}) => {
    const metrics = createMetrics();
    return { models: createModels(modelsConfig(configs, more), { db, metrics }), metrics };
  };
  const calls = () => db.q.selectFrom('model_call').selectAll().orderBy('id').execute();
  const spent = async () =>
    Object.fromEntries(
      (await db.q.selectFrom('model_spending').selectAll().execute()).map(({ scope, usd, calls: count }) => [
        scope,
        [Number(usd), Number(count)],
      ]),
    );
  const failure = (promise: Promise<unknown>): Promise<Error & { code: string; problems: unknown[] }> =>
    promise.then(
      (found) => expect.fail(`it answered ${JSON.stringify(found)}`),
      (error) => error,
    );

  it('a call is recorded with its prompts, tokens, cost and price, without secrets', async () => {
    const { models, metrics } = modelsOf([
      { provider: 'anthropic', model: 'claude-sonnet-5-5', apiKey: 'sk-test-4f9a1c77', baseUrl: server.url },
    ]);
    const usage = {
      input_tokens: 1000,
      output_tokens: 500,
      cache_read_input_tokens: 10_000,
      cache_creation_input_tokens: 2000,
    };
    answer = { status: 200, body: { ...anthropicText(`it is ${TOKEN}`), usage } };
    const found = await models.ask(question({ incidentId: 7, messages: [{ role: 'user', content: `saw ${TOKEN}` }] }));
    const cost = (1000 * 2 + 500 * 10 + 10_000 * 0.1 + 2000 * 2.5) / 1e6;
    expect(found.costUsd).toBeCloseTo(cost, 8);
    const [row, ...others] = await calls();
    expect(others).toEqual([]);
    expect(row).toMatchObject({
      incident_id: 7,
      role: 'diagnose',
      model: 'anthropic/claude-sonnet-5-5',
      prompts: [
        { prompt: 'diagnose@1', sha256: promptOf('You look.').sha256 },
        { prompt: 'specialist@1', sha256: promptOf('Closely.').sha256 },
      ],
      prompt_sha256: found.promptSha256,
      outcome: 'ok',
      error: null,
      degraded: null,
      input_tokens: 13_000,
      cached_tokens: 10_000,
      output_tokens: 500,
    });
    expect(Number(row?.cost_usd)).toBeCloseTo(cost, 8);
    expect(row?.price_date).not.toBeNull();
    expect(row?.question_sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify([row?.request, row?.answer])).not.toContain(TOKEN.slice(0, 12));
    expect(row?.answer).toMatchObject({ text: expect.stringContaining('it is [') });
    expect(await spent()).toEqual({ day: [cost, 1], 'role:diagnose': [cost, 1], 'incident:7': [cost, 1] });
    const kinds = (await metrics.modelTokens.get()).values.map(({ labels, value }) => [labels.kind, value]);
    expect(kinds).toEqual([
      ['input', 3000],
      ['cached', 10_000],
      ['output', 500],
    ]);
    expect((await metrics.modelCost.get()).values[0]?.value).toBeCloseTo(cost, 8);
  });

  it('what failed is recorded too, and paid for where an answer came', async () => {
    const gone = { ...priced('gone', 'frontier', 1), baseUrl: 'http://127.0.0.1:1/v1' };
    const { models } = modelsOf([gone, priced('m', 'frontier', 1)]);
    answer = { status: 200, body: { ...openaiText('no JSON'), usage: { prompt_tokens: 1000, completion_tokens: 0 } } };
    const output = { name: 'x', schema: { type: 'object', properties: {}, required: [] } };
    await failure(models.ask(question({ output })));
    expect(
      (await calls()).map(({ model, outcome, error, cost_usd: cost }) => [model, outcome, error, cost && Number(cost)]),
    ).toEqual([
      ['gone', 'unreachable', expect.stringContaining('no connection'), null],
      ['m', 'invalid', 'its answer is not the JSON asked for', 0.001],
    ]);
    expect(await spent()).toEqual({ day: [0.001, 2], 'role:diagnose': [0.001, 2] });
  });

  it('what a server does not count costs about what was sent and came back', async () => {
    const { models } = modelsOf([{ ...priced('m', 'frontier', 1), model: 'm' }]);
    const { usage: _, ...uncounted } = openaiText('x'.repeat(3500));
    answer = { status: 200, body: uncounted };
    const found = await models.ask(question({ messages: [{ role: 'user', content: 'y'.repeat(35_000) }] }));
    expect(found.costUsd).toBeGreaterThan((10_000 + 1000 * 10) / 1e6);
    expect(found.costUsd).toBeLessThan((10_200 + 1000 * 10) / 1e6);
    expect((await calls())[0]).toMatchObject({ input_tokens: null, output_tokens: null });
  });

  it('a call fails when it cannot be recorded', async () => {
    const own = await open();
    const closing = await rawServer(
      (response) => void own.close().then(() => sendJson(response, 200, openaiText('fine'))),
    );
    const config = modelsConfig([{ ...priced('m', 'frontier', 1), baseUrl: `${closing.url}/v1` }]);
    const error = await failure(createModels(config, { db: own, metrics: createMetrics() }).ask(question()));
    expect(error.code).not.toBe('llm_failed');
    expect(closing.requests).toHaveLength(1);
    await closing.close();
  });

  it('near a ceiling only the cheapest are asked, and beyond it nobody is', async () => {
    // Each answer of the first costs $0.20, of the second $0.02.
    const { models, metrics } = modelsOf([priced('dear', 'frontier', 1), priced('cheap', 'small', 0.1)], {
      spending: { incidentUsd: 0.45, cheaperFrom: 0.8 },
    });
    const asked = async () =>
      (({ model, degraded }) => [model, degraded])(await models.ask(question({ incidentId: 1 })));
    expect(await asked()).toEqual(['dear', null]);
    expect(await asked()).toEqual(['dear', null]);
    expect(await asked()).toEqual(['cheap', 'cheaper_model']);
    expect(await asked()).toEqual(['cheap', 'cheaper_model']);
    expect(await asked()).toEqual(['cheap', 'cheaper_model']);
    const before = server.requests.length;
    const error = await failure(models.ask(question({ incidentId: 1 })));
    expect(error).toMatchObject({
      code: 'spending_ceiling',
      problems: [{ field: 'spending.incidentUsd', value: '$0.46 of $0.45', fix: 'raise spending.incidentUsd' }],
    });
    expect(server.requests).toHaveLength(before);
    expect((await calls()).map(({ degraded }) => degraded)).toEqual([
      null,
      null,
      'cheaper_model',
      'cheaper_model',
      'cheaper_model',
    ]);
    expect((await metrics.modelsDegraded.get()).values[0]).toMatchObject({
      labels: { how: 'cheaper_model' },
      value: 3,
    });
    // Others are not concerned.
    expect((await models.ask(question({ incidentId: 2 }))).model).toBe('dear');
  });

  it('near a ceiling a critic is who it was', async () => {
    const { models } = modelsOf([priced('dear', 'frontier', 1), priced('cheap', 'small', 0.1)], {
      spending: { incidentUsd: 0.45, cheaperFrom: 0.4 },
    });
    await models.ask(question({ incidentId: 1 }));
    const asked = await models.ask(question({ role: 'critique', incidentId: 1 }));
    expect([asked.model, asked.degraded]).toEqual(['dear', null]);
    await models.ask(question({ role: 'critique', incidentId: 1 }));
    expect((await failure(models.ask(question({ role: 'critique', incidentId: 1 })))).code).toBe('spending_ceiling');
  });

  it.each([
    ['spending.dayUsd', { dayUsd: 0.3 }, 'plan'],
    ['spending.roleUsd.diagnose', { roleUsd: { diagnose: 0.3 } }, 'diagnose'],
  ] as const)('%s holds for a day, and names itself', async (field, spending, role) => {
    const { models } = modelsOf([priced('m', 'frontier', 1)], { spending });
    // There is no cheaper one, so nothing is degraded.
    expect([(await models.ask(question())).degraded, (await models.ask(question())).degraded]).toEqual([null, null]);
    const error = await failure(models.ask(question({ role })));
    expect(error).toMatchObject({ code: 'spending_ceiling', message: expect.stringContaining(field) });
    expect((await models.state()).ceilings.find((one) => one.field === field)).toMatchObject({
      ceilingUsd: 0.3,
      spentUsd: 0.4,
    });
    await db.executeSql('update model_spending set day = day - 1');
    expect((await models.ask(question({ role }))).text).toBe('fine');
  });

  it('an incident keeps its costs beyond midnight', async () => {
    const { models } = modelsOf([priced('m', 'frontier', 1)], { spending: { incidentUsd: 0.3 } });
    await models.ask(question({ incidentId: 3 }));
    await db.executeSql('update model_spending set day = day - 1');
    await models.ask(question({ incidentId: 3 }));
    expect((await failure(models.ask(question({ incidentId: 3 })))).code).toBe('spending_ceiling');
  });

  it('what people ask about an incident, and its judge, take nothing from it', async () => {
    const { models } = modelsOf([priced('m', 'frontier', 1)], { spending: { incidentUsd: 0.3 } });
    // Two of either would be more than it may cost.
    for (const role of ['answer', 'judge', 'answer', 'judge'] as const)
      await models.ask(question({ incidentId: 4, role }));
    expect((await models.ask(question({ incidentId: 4 }))).degraded).toBeNull();
    expect((await spent())['incident:4']?.[0]).toBeCloseTo(0.2, 8);
  });

  it('a model under another name or at another address is the same model', async () => {
    const one = priced('one', 'frontier', 1);
    const elsewhere = { ...one, name: 'elsewhere', baseUrl: `${server.url.replace('127.0.0.1', 'localhost')}/v1` };
    const { models } = modelsOf([one, { ...one, name: 'again' }, elsewhere, priced('other', 'frontier', 1)]);
    expect(models.namesFor('critique')).toEqual(['one', 'again', 'elsewhere', 'other']);
    expect(models.namesFor('critique', ['again'])).toEqual(['other']);
    // As a gateway names it, and with its date.
    const sonnet = ['claude-sonnet-5-5', 'anthropic/claude-sonnet-5-5', 'claude-sonnet-5-5-20260901'];
    const named = modelsOf(
      [...sonnet, 'claude-haiku'].map((model) => ({ ...one, name: model.replace('/', '-'), model })),
    );
    expect(named.models.namesFor('critique', ['claude-sonnet-5-5'])).toEqual(['claude-haiku']);
    expect((await models.ask(question({ role: 'critique', notModels: ['again'] }))).model).toBe('other');
  });

  it('many at once are all counted', async () => {
    const { models } = modelsOf([priced('m', 'frontier', 1)]);
    const all = Array.from({ length: 12 }, (_, index) =>
      models.ask(question({ incidentId: index % 3, role: index % 2 ? 'plan' : 'critique' })),
    );
    await Promise.all(all);
    const found = await spent();
    expect(found.day?.[1]).toBe(12);
    expect(found['role:plan']?.[1]).toBe(6);
    expect(found['incident:2']?.[0]).toBeCloseTo(0.8, 8);
  });

  it('the identical question is answered from the record when nobody answers, and says so', async () => {
    const { models, metrics } = modelsOf([priced('m', 'frontier', 1)]);
    const body = question({ incidentId: 5 });
    const first = await models.ask(body);
    answer = { status: 500, body: {} };
    const again = await models.ask({ ...body, incidentId: 6 });
    expect(again).toMatchObject({
      model: 'm',
      text: first.text,
      degraded: 'stored_answer',
      costUsd: 0,
      promptSha256: first.promptSha256,
    });
    expect(again.failedOver).toEqual([expect.stringMatching(/^m: HTTP 500/)]);
    expect((await metrics.modelsDegraded.get()).values[0]).toMatchObject({
      labels: { how: 'stored_answer' },
      value: 1,
    });
    for (const other of [
      { messages: [{ role: 'user' as const, content: 'another' }] },
      { prompts: [promptOf('You look!')] },
      { role: 'plan' as const },
      { tools: [{ name: 'x', description: 'Looks.', inputSchema: { type: 'object' } }] },
      { notModels: ['m'] },
    ])
      expect((await failure(models.ask({ ...body, ...other }))).code).toBe('llm_failed');
    await db.executeSql("update model_call set at = at - interval '25 hours'");
    expect((await failure(models.ask(body))).code).toBe('llm_failed');
  });

  it('a stored answer brings its JSON and its calls, but judges nothing', async () => {
    const { models } = modelsOf([priced('m', 'frontier', 1)]);
    const output = { name: 'x', schema: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] } };
    const asJson = question({ output });
    answer = { status: 200, body: openaiText('{"a":"b"}') };
    await models.ask(asJson);
    const judged = question({ role: 'judge' });
    await models.ask(judged);
    const call = { id: 'c1', function: { name: 'http__probe', arguments: '{"url":"x"}' } };
    const message = { content: null, tool_calls: [call] };
    answer = { status: 200, body: { ...openaiText(''), choices: [{ finish_reason: 'tool_calls', message }] } };
    const withTools = question({
      tools: [{ name: 'http.probe', description: 'Looks.', inputSchema: { type: 'object' } }],
    });
    await models.ask(withTools);
    answer = { status: 500, body: {} };
    expect((await models.ask(asJson)).json).toEqual({ a: 'b' });
    expect(await models.ask(withTools)).toMatchObject({
      stopReason: 'tool_calls',
      toolCalls: [{ id: 'c1', name: 'http.probe', arguments: { url: 'x' } }],
    });
    expect((await failure(models.ask(judged))).code).toBe('llm_failed');
  });

  it('a stored answer that was cut when it was kept is none', async () => {
    const { models } = modelsOf([priced('m', 'frontier', 1)]);
    const output = { name: 'x', schema: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] } };
    const asked = question({ output });
    answer = { status: 200, body: openaiText(JSON.stringify({ a: 'x'.repeat(300_000) })) };
    expect((await models.ask(asked)).json).toMatchObject({ a: expect.any(String) });
    answer = { status: 500, body: {} };
    expect((await failure(models.ask(asked))).code).toBe('llm_failed');
  });
});
