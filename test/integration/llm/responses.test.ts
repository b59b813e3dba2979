/** OpenAI's Responses API, against the emulator and against what is really on the wire. */
import { LLMock } from '@copilotkit/aimock';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openEmbedded } from '../../../src/database/index.ts';
import { createModels, type ModelRequest, type ToolSpec } from '../../../src/llm/index.ts';
import { createMetrics } from '../../../src/telemetry/index.ts';
import { modelsConfig, promptOf } from '../support/models.ts';
import { rawServer, sendJson } from './raw-server.ts';

const mock = new LLMock({ port: 0 });
let db: Database;
let server: Awaited<ReturnType<typeof rawServer>> | undefined;

beforeAll(async () => {
  db = await openEmbedded(null);
  await mock.start();
});
beforeEach(async () => {
  mock.reset();
  // What was answered before would answer again.
  await db.q.deleteFrom('model_call').execute();
});
afterEach(() => server?.close());
afterAll(async () => {
  await mock.stop();
  await db.close();
});

const tool: ToolSpec = {
  name: 'http.probe',
  description: 'Looks.',
  inputSchema: { type: 'object', properties: { url: { type: 'string' } }, required: ['url'] },
};
const output = {
  name: 'diagnosis',
  schema: { type: 'object', properties: { cause: { type: 'string' } }, required: ['cause'] },
};
const request = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  role: 'diagnose',
  prompts: [promptOf('You look.')],
  messages: [{ role: 'user', content: 'why?' }],
  maxTokens: 256,
  signal: new AbortController().signal,
  incidentId: null,
  ...more,
});
const modelsAt = (baseUrl: string) =>
  createModels(
    modelsConfig([{ provider: 'openai', api: 'responses', model: 'gpt-test', apiKey: 'sk-test-4f9a1c77', baseUrl }]),
    {
      ...{ db, metrics: createMetrics() },
    },
  );
const responseOf = (out: unknown[], more: object = {}) => ({
  ...{ id: 'resp_1', object: 'response', status: 'completed', output: out },
  usage: { input_tokens: 50, output_tokens: 5, input_tokens_details: { cached_tokens: 40, cache_write_tokens: 3 } },
  ...more,
});
const said = (text: string) => ({ type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] });

describe('with the emulator', () => {
  it('gives text, JSON and calls, and goes on after them', async () => {
    mock.onToolResult('call_a', { content: 'Then the page is down.' });
    mock.onMessage('text', { content: 'The worker is wedged.' });
    mock.onMessage('json', { content: '{"cause":"pool"}' });
    mock.onMessage('calls', { toolCalls: [{ id: 'call_a', name: 'http__probe', arguments: '{"url":"x"}' }] });
    const models = modelsAt(`${mock.url}/v1`);
    const asked = (content: string, more: Partial<ModelRequest> = {}) =>
      models.ask(request({ messages: [{ role: 'user', content }], ...more }));
    expect(await asked('text')).toMatchObject({
      text: 'The worker is wedged.',
      stopReason: 'end',
      model: 'openai/gpt-test',
    });
    expect((await asked('json', { output })).json).toEqual({ cause: 'pool' });
    const answer = await asked('calls', { tools: [tool] });
    expect(answer).toMatchObject({
      stopReason: 'tool_calls',
      toolCalls: [{ id: 'call_a', name: 'http.probe', arguments: { url: 'x' } }],
    });
    const messages: ModelRequest['messages'] = [
      { role: 'user', content: 'calls' },
      answer.turn,
      { role: 'user', content: '', toolResults: [{ id: 'call_a', content: '503' }] },
    ];
    expect((await models.ask(request({ tools: [tool], messages }))).text).toBe('Then the page is down.');
    mock.onMessage('broken', { status: 500, error: { message: 'x', type: 'server_error' } });
    await expect(asked('broken')).rejects.toMatchObject({
      code: 'llm_failed',
      message: expect.stringContaining('HTTP 500'),
    });
  });
});

describe('on the wire', () => {
  it('nothing is kept there, and everything has its place', async () => {
    const own = await rawServer((response) => sendJson(response, 200, responseOf([said('{"cause":"x"}')])));
    server = own;
    const answer = await modelsAt(`${own.url}/v1`).ask(request({ tools: [tool], output }));
    expect(answer.usage).toEqual({ inputTokens: 50, outputTokens: 5, cachedInputTokens: 40 });
    expect(own.requests[0]?.path).toBe('/v1/responses');
    expect(own.requests[0]?.body).toEqual({
      model: 'gpt-test',
      store: false,
      max_output_tokens: 256,
      instructions: 'You look.',
      input: [{ role: 'user', content: 'why?' }],
      tools: [
        { type: 'function', name: 'http__probe', description: 'Looks.', parameters: tool.inputSchema, strict: false },
      ],
      tool_choice: 'auto',
      text: {
        format: {
          type: 'json_schema',
          name: 'diagnosis',
          strict: true,
          schema: { ...output.schema, additionalProperties: false },
        },
      },
    });
  });

  it('what was thought goes back with the calls, to the model that thought it', async () => {
    const thought = [
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'c2ln' },
      { type: 'function_call', call_id: 'c1', name: 'http__probe', arguments: '{"url":"x"}' },
    ];
    const own = await rawServer((response) => sendJson(response, 200, responseOf(thought)));
    server = own;
    const models = modelsAt(`${own.url}/v1`);
    const { turn } = await models.ask(request({ tools: [tool] }));
    const results = {
      role: 'user' as const,
      content: 'Go on.',
      toolResults: [{ id: 'c1', content: 'no', isError: true }],
    };
    const foreign = {
      role: 'assistant' as const,
      content: 'Hm.',
      toolCalls: [{ id: 'c1', name: 'http.probe', arguments: { url: 'y' } }],
    };
    await models.ask(request({ tools: [tool], messages: [...request().messages, turn, results] }));
    await models.ask(request({ tools: [tool], messages: [...request().messages, foreign, results] }));
    const inputs = own.requests.map(({ body }) => body.input);
    const after = [
      { type: 'function_call_output', call_id: 'c1', output: 'The call failed: no' },
      { role: 'user', content: 'Go on.' },
    ];
    expect(inputs[1]).toEqual([{ role: 'user', content: 'why?' }, ...thought, ...after]);
    expect(inputs[2]).toEqual([
      { role: 'user', content: 'why?' },
      { role: 'assistant', content: 'Hm.' },
      { type: 'function_call', call_id: 'c1', name: 'http__probe', arguments: '{"url":"y"}' },
      ...after,
    ]);
  });

  it.each([
    [
      'cut off',
      responseOf([said('{"cau')], { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }),
      /cut off at the limit of 256/,
    ],
    [
      'filtered',
      responseOf([], { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }),
      /refused to answer \(content_filter\)/,
    ],
    [
      'refused',
      responseOf([{ type: 'message', content: [{ type: 'refusal', refusal: 'No, because of this and that.' }] }]),
      /it refused to answer$/,
    ],
    ['failed', responseOf([], { status: 'failed' }), /its answer is empty/],
    ['something else', { object: 'list' }, /does not follow the protocol \(at output\)/],
  ])('what is %s is a failure', async (_, body, words) => {
    server = await rawServer((response) => sendJson(response, 200, body));
    await expect(modelsAt(`${server.url}/v1`).ask(request({ output }))).rejects.toThrow(words);
  });
});
