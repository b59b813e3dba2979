import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LLMock } from '@copilotkit/aimock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ModelConfig } from '../../../src/config/index.ts';
import { type Database, openEmbedded } from '../../../src/database/index.ts';
import { createModels, type ModelRequest, type ToolSpec } from '../../../src/llm/index.ts';
import { createMetrics } from '../../../src/telemetry/index.ts';
import { modelConfig, modelsConfig, promptOf } from '../support/models.ts';
import { rawServer } from './raw-server.ts';

const KEY = 'sk-test-4f9a1c77e2d04b6f';
const SECRET_PROMPT = 'the checkout database password is hunter2';
const mock = new LLMock({ port: 0 });
let db: Database;
let anthropic: ModelConfig;
let openai: ModelConfig;
const modelsOf = (configs: readonly ModelConfig[], metrics = createMetrics()) =>
  createModels(modelsConfig(configs), { db, metrics });

beforeAll(async () => {
  db = await openEmbedded(null);
  await mock.start();
  anthropic = modelConfig({ apiKey: KEY, provider: 'anthropic', model: 'claude-sonnet-5-5', baseUrl: mock.url });
  openai = modelConfig({ apiKey: KEY, provider: 'openai', model: 'gpt-6.1', baseUrl: `${mock.url}/v1` });
});
beforeEach(async () => {
  mock.reset();
  // What was answered before would answer again.
  await db.q.deleteFrom('model_call').execute();
});
afterAll(async () => {
  await mock.stop();
  await db.close();
});

const restart: ToolSpec = {
  name: 'supervisor.restart',
  description: 'Restarts a supervised process.',
  inputSchema: {
    type: 'object',
    properties: { process: { type: 'string' } },
    required: ['process'],
    additionalProperties: false,
  },
};
const output = {
  name: 'diagnosis',
  schema: {
    type: 'object',
    properties: { root_cause: { type: 'string' } },
    required: ['root_cause'],
    additionalProperties: false,
  },
};

function request(more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    role: 'diagnose',
    prompts: [promptOf('You are the on-call engineer.')],
    messages: [{ role: 'user', content: 'why is checkout down?' }],
    maxTokens: 512,
    signal: new AbortController().signal,
    incidentId: null,
    ...more,
  };
}

const both = () => [
  { name: 'Anthropic', config: anthropic, cut: 'length', refusal: 'refusal' },
  { name: 'OpenAI', config: openai, cut: 'length', refusal: 'content_filter' },
];

async function failure(promise: Promise<unknown>): Promise<Error & { code: string }> {
  return promise.then(
    (answer) => expect.fail(`it answered ${JSON.stringify(answer)}`),
    (error) => error,
  );
}

async function outcomes(metrics: ReturnType<typeof createMetrics>): Promise<string[]> {
  const { values } = await metrics.modelCalls.get();
  return values
    .filter(({ metricName }) => metricName === 'nightshift_model_call_duration_seconds_count')
    .map(({ labels, value }) => `${labels.role} ${labels.model} ${labels.outcome} ${value}`);
}

describe.each(['Anthropic', 'OpenAI'])('asking %s', (name) => {
  const one = () => both().find((entry) => entry.name === name) ?? expect.fail();

  it('gives the text, its usage and how long it took', async () => {
    const usage =
      name === 'Anthropic' ? { input_tokens: 11, output_tokens: 5 } : { prompt_tokens: 11, completion_tokens: 5 };
    mock.onMessage('why is checkout down?', { content: 'The worker is wedged.', usage });
    const metrics = createMetrics();
    const answer = await modelsOf([one().config], metrics).ask(request());
    expect(answer).toMatchObject({
      model: `${one().config.provider}/${one().config.model}`,
      text: 'The worker is wedged.',
      json: null,
      toolCalls: [],
      stopReason: 'end',
      usage: { inputTokens: 11, outputTokens: 5, cachedInputTokens: 0 },
      failedOver: [],
      turn: { role: 'assistant', content: 'The worker is wedged.' },
    });
    expect(answer.durationMs).toBeGreaterThan(0);
    expect(await outcomes(metrics)).toEqual([`diagnose ${one().config.provider}/${one().config.model} ok 1`]);
  });

  it('parses structured output', async () => {
    mock.onMessage('why is checkout down?', { content: '{"root_cause":"pool exhausted"}' });
    const answer = await modelsOf([one().config]).ask(request({ output }));
    expect(answer.json).toEqual({ root_cause: 'pool exhausted' });
  });

  it('takes truncated JSON for a failure and names the limit', async () => {
    mock.onMessage('why is checkout down?', { content: '{"root_cause":"pool exh', finishReason: one().cut });
    const metrics = createMetrics();
    const error = await failure(modelsOf([one().config], metrics).ask(request({ output })));
    expect(error).toMatchObject({ code: 'llm_failed' });
    expect(error.message).toContain('its answer is not the JSON asked for, cut off at the limit of 512 tokens');
    expect((await outcomes(metrics))[0]).toMatch(/ invalid 1$/);
  });

  it('takes a text cut off at the limit for an answer and says so', async () => {
    mock.onMessage('why is checkout down?', { content: 'The worker is', finishReason: one().cut });
    expect((await modelsOf([one().config]).ask(request())).stopReason).toBe('length');
  });

  it('takes a tool call cut off at the limit for a failure', async () => {
    mock.onMessage('why is checkout down?', {
      toolCalls: [{ name: 'supervisor__restart', arguments: '{}' }],
      finishReason: one().cut,
    });
    const error = await failure(modelsOf([one().config]).ask(request({ tools: [restart] })));
    expect(error.message).toContain('its tool calls may be incomplete, cut off at the limit of 512 tokens');
  });

  it('maps tool names out and back, and lets an unknown one through as it is', async () => {
    mock.onMessage('why is checkout down?', {
      toolCalls: [
        { id: 'call_a', name: 'supervisor__restart', arguments: '{"process":"checkout"}' },
        { id: 'call_b', name: 'supervisor__remove', arguments: '{}' },
      ],
    });
    const answer = await modelsOf([one().config]).ask(
      request({ role: 'plan', tools: [restart], toolChoice: 'required' }),
    );
    expect(answer.stopReason).toBe('tool_calls');
    expect(answer.toolCalls).toEqual([
      { id: 'call_a', name: 'supervisor.restart', arguments: { process: 'checkout' } },
      { id: 'call_b', name: 'supervisor__remove', arguments: {} },
    ]);
    expect(mock.getLastRequest()?.body).toMatchObject({
      tools: [{ function: { name: 'supervisor__restart', parameters: restart.inputSchema } }],
    });
  });

  it('sends tool results and errors back under the ids of their calls', async () => {
    mock.onToolResult('call_b', { content: 'Then only a person can help.' });
    mock.onMessage('why is checkout down?', {
      content: 'Looking.',
      toolCalls: [
        { id: 'call_a', name: 'supervisor__restart', arguments: '{"process":"checkout"}' },
        { id: 'call_b', name: 'made up', arguments: '{}' },
      ],
    });
    const models = modelsOf([one().config]);
    const first = request({ tools: [restart] });
    const { turn } = await models.ask(first);
    const results = [
      { id: 'call_a', content: 'not running' },
      { id: 'call_b', content: 'there is no such tool', isError: true },
    ];
    const answer = await models.ask({
      ...first,
      messages: [...first.messages, turn, { role: 'user', content: '', toolResults: results }],
    });
    expect(answer.text).toBe('Then only a person can help.');
    const { messages } = (mock.getLastRequest() ?? expect.fail()).body as { messages: { role: string }[] };
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'tool']);
    expect(messages[2]).toMatchObject({
      content: 'Looking.',
      tool_calls: [{ id: 'call_a', function: { name: 'supervisor__restart' } }, { id: 'call_b' }],
    });
    expect(messages[4]).toMatchObject({
      tool_call_id: 'call_b',
      content: expect.stringContaining('there is no such tool'),
    });
  });

  it('takes an answer without the call it had to make for a failure', async () => {
    mock.onMessage('why is checkout down?', { content: 'I would rather talk.' });
    const error = await failure(modelsOf([one().config]).ask(request({ tools: [restart], toolChoice: 'required' })));
    expect(error.message).toContain('it called no tool though it had to');
  });

  it.each([
    ['a refusal', () => ({ content: 'No.', finishReason: one().refusal }), 'it refused to answer', 'refused'],
    ['an empty answer', () => ({ content: ' \n' }), 'its answer is empty', 'empty'],
  ])('takes %s for a failure', async (_, response, reason, outcome) => {
    mock.onMessage('why is checkout down?', response());
    const metrics = createMetrics();
    const error = await failure(modelsOf([one().config], metrics).ask(request()));
    expect(error.message).toContain(reason);
    expect((await outcomes(metrics))[0]).toMatch(new RegExp(` ${outcome} 1$`));
  });

  it.each([
    [401, 'authentication_error', 'it did not accept the API key', 'rejected'],
    [404, 'not_found_error', 'it knows no such model or path', 'rejected'],
    [429, 'rate_limit_error', 'a rate limit or quota is used up', 'limited'],
    [500, 'api_error', 'it failed on its side', 'unavailable'],
    [529, 'overloaded_error', 'it is overloaded', 'unavailable'],
  ])('reports HTTP %i once, in words of its own', async (status, type, words, outcome) => {
    mock.onMessage('why is checkout down?', {
      status,
      error: { type, message: `key ${KEY}, prompt ${SECRET_PROMPT}, go away` },
    });
    const metrics = createMetrics();
    const error = await failure(modelsOf([one().config], metrics).ask(request({ prompts: [promptOf(SECRET_PROMPT)] })));
    expect(error).toMatchObject({ name: 'NightshiftError', code: 'llm_failed' });
    expect(error.message).toContain(`${one().config.provider}/${one().config.model}: HTTP ${status} (${type}`);
    expect(error.message).toContain(words);
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toMatch(
      /sk-test|hunter2|go away/,
    );
    // With 429 comes a retry-after of a second, after which it is asked once more.
    const times = status === 429 ? 2 : 1;
    expect(mock.getRequests()).toHaveLength(times);
    expect((await outcomes(metrics))[0]).toMatch(new RegExp(` ${outcome} ${times}$`));
  });

  it('gives up after timeoutSeconds', async () => {
    mock.onMessage('why is checkout down?', { content: 'late' }, { chaos: { latencyMs: 3000 } });
    const started = performance.now();
    const error = await failure(modelsOf([{ ...one().config, timeoutSeconds: 0.2 }]).ask(request()));
    expect(error.message).toContain('no complete answer within 0.2 s (timeoutSeconds)');
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('stops at once when the caller gives up, and asks nobody else', async () => {
    mock.onMessage('why is checkout down?', { content: 'late' }, { chaos: { latencyMs: 3000 } });
    const metrics = createMetrics();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    const started = performance.now();
    const models = modelsOf([one().config, { ...anthropic, name: 'a' }, { ...openai, name: 'b' }], metrics);
    const error = await failure(models.ask(request({ signal: controller.signal })));
    expect(error).toMatchObject({ code: 'llm_failed' });
    expect(error.message).toContain('the caller gave the question up');
    expect(performance.now() - started).toBeLessThan(2000);
    expect(await outcomes(metrics)).toEqual([`diagnose ${one().config.provider}/${one().config.model} aborted 1`]);
  });
});

describe('failing over', () => {
  it('asks OpenAI when Anthropic is overloaded, and says so', async () => {
    mock.on({ model: 'claude-sonnet-5-5' }, { status: 529, error: { type: 'overloaded_error', message: 'busy' } });
    mock.onMessage('why is checkout down?', { content: 'The worker is wedged.' });
    const metrics = createMetrics();
    const models = modelsOf([anthropic, openai], metrics);
    expect(models.names).toEqual(['anthropic/claude-sonnet-5-5', 'openai/gpt-6.1']);
    const answer = await models.ask(request());
    expect(answer).toMatchObject({ model: 'openai/gpt-6.1', text: 'The worker is wedged.' });
    expect(answer.failedOver).toEqual([
      expect.stringMatching(/^anthropic\/claude-sonnet-5-5: HTTP 529 \(overloaded_error.*\): it is overloaded$/),
    ]);
    expect(await outcomes(metrics)).toEqual([
      'diagnose anthropic/claude-sonnet-5-5 unavailable 1',
      'diagnose openai/gpt-6.1 ok 1',
    ]);
  });

  it('asks the next model when nobody listens, when one hangs and when one answers with broken JSON', async () => {
    mock.on({ model: 'slow' }, { content: '{}' }, { chaos: { latencyMs: 3000 } });
    mock.on({ model: 'sloppy' }, { content: 'Sure! {"root_cause"' });
    mock.on({ model: 'gpt-6.1' }, { content: '{"root_cause":"pool exhausted"}' });
    const gone = await rawServer(() => undefined);
    await gone.close();
    const nobody = { ...anthropic, baseUrl: gone.url };
    const slow = { ...anthropic, model: 'slow', timeoutSeconds: 0.2 };
    const answer = await modelsOf([nobody, slow, { ...openai, model: 'sloppy' }, openai]).ask(request({ output }));
    expect(answer.json).toEqual({ root_cause: 'pool exhausted' });
    expect(answer.failedOver).toEqual([
      expect.stringMatching(/^anthropic\/claude-sonnet-5-5: no connection to 127\.0\.0\.1:\d+ \(ECONNREFUSED\)$/),
      'anthropic/slow: no complete answer within 0.2 s (timeoutSeconds)',
      'openai/sloppy: its answer is not the JSON asked for',
    ]);
  });

  it('goes on with another model in the middle of a conversation with tools', async () => {
    mock.on(
      { model: 'claude-sonnet-5-5', hasToolResult: false },
      {
        reasoning: 'hm',
        toolCalls: [{ id: 'call_a', name: 'supervisor__restart', arguments: '{"process":"checkout"}' }],
      },
    );
    mock.on({ model: 'claude-sonnet-5-5' }, { status: 500, error: { message: 'broken' } });
    mock.on({ model: 'gpt-6.1' }, { content: 'Done.' });
    const models = modelsOf([anthropic, openai]);
    const first = request({ tools: [restart] });
    const { turn } = await models.ask(first);
    const answer = await models.ask({
      ...first,
      messages: [
        ...first.messages,
        turn,
        { role: 'user', content: 'Go on.', toolResults: [{ id: 'call_a', content: 'ok' }] },
      ],
    });
    expect(answer).toMatchObject({ model: 'openai/gpt-6.1', text: 'Done.' });
    expect(mock.getLastRequest()?.body).toMatchObject({
      messages: [
        { role: 'system' },
        { role: 'user' },
        {
          role: 'assistant',
          tool_calls: [
            { id: 'call_a', function: { name: 'supervisor__restart', arguments: '{"process":"checkout"}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call_a', content: 'ok' },
        { role: 'user', content: 'Go on.' },
      ],
    });
  });

  it('names every model when all failed', async () => {
    mock.on({}, { status: 500, error: { message: 'broken' } });
    const error = await failure(modelsOf([anthropic, openai]).ask(request({ role: 'plan' })));
    expect(error).toMatchObject({ code: 'llm_failed', retryable: true });
    expect(error.message).toMatch(
      /^no model answered the plan question: anthropic\/claude-sonnet-5-5: HTTP 500 .*; openai\/gpt-6\.1: HTTP 500 /,
    );
  });

  it('fails at once without any model, and says how to add one', async () => {
    const models = modelsOf([]);
    expect(models.names).toEqual([]);
    const error = await failure(models.ask(request()));
    expect(error).toMatchObject({ code: 'llm_failed', message: expect.stringContaining('no model is configured') });
  });

  it('reports our own mistakes as such instead of trying every model with them', async () => {
    const models = modelsOf([anthropic, openai]);
    expect(await failure(models.ask(request({ tools: [{ ...restart, name: 'restart it' }] })))).toMatchObject({
      code: 'invalid_config',
    });
    expect(await failure(models.ask(request({ output: { name: 'x', schema: { type: 'array' } } })))).toMatchObject({
      code: 'internal',
    });
    expect(mock.getRequests()).toHaveLength(0);
  });
});

/** In a process of its own, in which an SDK cannot be read the first two times that it is wanted, as where no more files can be opened. */
const UNREADABLE = `
import { registerHooks } from 'node:module';
let times = 0;
registerHooks({
  resolve(name, context, next) {
    if (name === process.argv[1] && ++times < 3) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
    return next(name, context);
  },
});
const { openEmbedded } = await import('./src/database/index.ts');
const { createModels } = await import('./src/llm/index.ts');
const { createMetrics } = await import('./src/telemetry/index.ts');
const db = await openEmbedded(null);
const models = createModels(JSON.parse(process.argv[2]), { db, metrics: createMetrics() });
for (const _ of [1, 2]) {
  const signal = new AbortController().signal;
  const said = await models.ask({ ...JSON.parse(process.argv[3]), signal }).then(({ text }) => text, ({ message }) => message);
  console.log(JSON.stringify(said));
}
await db.close();
`;

it.each([
  ['@anthropic-ai/sdk', 'Anthropic'],
  ['openai', 'OpenAI'],
])('loads %s again where it could not be read', async (sdk, name) => {
  mock.onMessage('why is checkout down?', { content: 'The worker is wedged.' });
  const { config } = both().find((one) => one.name === name) ?? expect.fail();
  const { signal: _, ...asked } = request();
  const given = [sdk, JSON.stringify(modelsConfig([config])), JSON.stringify(asked)];
  const argv = ['--input-type=module-typescript', '-e', UNREADABLE, ...given];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd: join(import.meta.dirname, '../../..') });
  const [first, second] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as string);
  expect(first).not.toBe('The worker is wedged.');
  expect(second).toBe('The worker is wedged.');
});
