import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ModelConfig } from '../../../src/config/index.ts';
import { type Database, openEmbedded } from '../../../src/database/index.ts';
import { createModels, type ModelRequest } from '../../../src/llm/index.ts';
import { createMetrics } from '../../../src/telemetry/index.ts';
import { modelConfig, modelsConfig, promptOf } from '../support/models.ts';
import { anthropicText, openaiText, rawServer, sendJson } from './raw-server.ts';

const KEY = 'sk-test-4f9a1c77e2d04b6f';
let db: Database;
let server: Awaited<ReturnType<typeof rawServer>> | undefined;

beforeAll(async () => {
  db = await openEmbedded(null);
});
afterAll(() => db.close());

afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.close();
  // What was answered before would answer again.
  await db.q.deleteFrom('model_call').execute();
});

async function serve(...args: Parameters<typeof rawServer>) {
  server = await rawServer(...args);
  return server;
}

const anthropic = (baseUrl: string) =>
  modelConfig({ provider: 'anthropic', model: 'claude-test', apiKey: KEY, baseUrl });
const openai = (baseUrl: string) =>
  modelConfig({ provider: 'openai', model: 'gpt-test', apiKey: KEY, baseUrl: `${baseUrl}/v1` });
const modelsOf = (configs: readonly ModelConfig[]) =>
  createModels(modelsConfig(configs), { db, metrics: createMetrics() });
const providers = { anthropic, openai };

const request: ModelRequest = {
  role: 'diagnose',
  prompts: [promptOf('You are the on-call engineer.')],
  messages: [{ role: 'user', content: 'why?' }],
  maxTokens: 256,
  signal: new AbortController().signal,
  incidentId: null,
};
const schema = { type: 'object', properties: { cause: { type: 'string', minLength: 1 } }, required: ['cause'] };
const sentSchema = {
  type: 'object',
  properties: { cause: { type: 'string', description: '(minLength: 1)' } },
  required: ['cause'],
  additionalProperties: false,
};
const tools = [{ name: 'http.probe', description: 'Looks.', inputSchema: { type: 'object', properties: {} } }];

function ask(config: ModelConfig, more: Partial<ModelRequest> = {}) {
  return modelsOf([config]).ask({ ...request, ...more });
}

async function reason(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => expect.fail('it answered'),
    (error: Error) => error.message,
  );
}

describe('what is sent', () => {
  it('to Anthropic: bearer key, API version, cached system prompt, schema, tools, no temperature', async () => {
    const { url, requests } = await serve((response) => sendJson(response, 200, anthropicText('{"cause":"x"}')));
    await ask(anthropic(url), { output: { name: 'diagnosis', schema }, tools, toolChoice: 'none' });
    expect(requests).toHaveLength(1);
    expect(requests[0]?.path).toBe('/v1/messages');
    expect(requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${KEY}`,
      'x-api-key': KEY,
      'anthropic-version': '2023-06-01',
    });
    expect(requests[0]?.body).toEqual({
      model: 'claude-test',
      max_tokens: 256,
      system: [{ type: 'text', text: 'You are the on-call engineer.', cache_control: { type: 'ephemeral' } }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'why?' }] }],
      tools: [{ name: 'http__probe', description: 'Looks.', input_schema: { type: 'object', properties: {} } }],
      tool_choice: { type: 'none' },
      output_config: { format: { type: 'json_schema', schema: sentSchema } },
    });
  });

  it('to OpenAI and its like: bearer key, strict schema, tools, no temperature', async () => {
    const { url, requests } = await serve((response) => sendJson(response, 200, openaiText('{"cause":"x"}')));
    await ask(openai(url), { output: { name: 'diagnosis', schema }, tools });
    expect(requests).toHaveLength(1);
    expect(requests[0]?.path).toBe('/v1/chat/completions');
    expect(requests[0]?.headers).toMatchObject({ authorization: `Bearer ${KEY}` });
    expect(requests[0]?.body).toEqual({
      model: 'gpt-test',
      max_tokens: 256,
      messages: [
        { role: 'system', content: 'You are the on-call engineer.' },
        { role: 'user', content: 'why?' },
      ],
      tools: [
        {
          type: 'function',
          function: { name: 'http__probe', description: 'Looks.', parameters: { type: 'object', properties: {} } },
        },
      ],
      tool_choice: 'auto',
      response_format: { type: 'json_schema', json_schema: { name: 'diagnosis', strict: true, schema: sentSchema } },
    });
  });

  it.each(['anthropic', 'openai'] as const)(
    'by %s takes key, address and identity from the configuration, not from the environment',
    async (provider) => {
      const names = {
        ANTHROPIC_API_KEY: 'x',
        ANTHROPIC_AUTH_TOKEN: 'x',
        ANTHROPIC_BASE_URL: 'http://127.0.0.1:9',
        ANTHROPIC_LOG: 'debug',
        ANTHROPIC_CUSTOM_HEADERS: 'x-tenant: theirs\nauthorization: Bearer theirs',
      };
      const others = {
        OPENAI_API_KEY: 'x',
        OPENAI_ADMIN_KEY: 'x',
        OPENAI_BASE_URL: 'http://127.0.0.1:9',
        OPENAI_ORG_ID: 'org-x',
        OPENAI_PROJECT_ID: 'proj-x',
        OPENAI_LOG: 'debug',
        OPENAI_CUSTOM_HEADERS: 'x-tenant: theirs\nauthorization: Bearer theirs',
      };
      for (const [name, value] of Object.entries({ ...names, ...others })) vi.stubEnv(name, value);
      const printed = vi.spyOn(console, 'debug').mockImplementation(() => undefined);
      const { url, requests } = await serve((response) =>
        sendJson(response, 200, provider === 'openai' ? openaiText('yes') : anthropicText('yes')),
      );
      const { apiKey: _, ...withoutKey } = providers[provider](url);
      expect((await ask(withoutKey)).text).toBe('yes');
      expect(requests[0]?.headers.authorization).toBe('Bearer no-key-configured');
      expect(requests[0]?.headers).not.toHaveProperty('x-tenant');
      expect(process.env.ANTHROPIC_CUSTOM_HEADERS).toContain('x-tenant');
      expect(requests[0]?.headers).not.toHaveProperty('openai-organization');
      expect(requests[0]?.headers).not.toHaveProperty('openai-project');
      expect(printed).not.toHaveBeenCalled();
    },
  );

  it.each(['anthropic', 'openai'] as const)(
    'by %s begins alike for every question of a role, so that it is read from the cache',
    async (provider) => {
      const { url, requests } = await serve((response) =>
        sendJson(response, 200, provider === 'openai' ? openaiText('yes') : anthropicText('yes')),
      );
      for (const content of ['the first question', 'another one'])
        await ask(providers[provider](url), { tools, messages: [{ role: 'user', content }] });
      const [first, second] = requests.map(({ body }) => JSON.stringify(prefixOf(provider, body)));
      expect(first).toBe(second);
      expect(first).toContain('http__probe');
      expect(first).toContain('You are the on-call engineer.');
      if (provider === 'anthropic') expect(first).toContain('cache_control');
    },
  );

  it('to Anthropic never forces a call, which its current models refuse', async () => {
    const { url, requests } = await serve((response) => sendJson(response, 200, anthropicText('yes')));
    await ask(anthropic(url), { tools, toolChoice: 'required' }).catch(() => undefined);
    expect(requests[0]?.body.tool_choice).toEqual({ type: 'auto' });
  });

  it('is refused at the start for a model with neither key nor address', () => {
    const config = modelConfig({ provider: 'anthropic', model: 'claude-test' });
    expect(() => modelsOf([config, { ...config, name: 'other' }])).toThrow(
      expect.objectContaining({
        code: 'invalid_config',
        problems: [
          expect.objectContaining({ field: 'models.0.apiKey' }),
          expect.objectContaining({ field: 'models.1.apiKey' }),
        ],
      }),
    );
  });
});

describe('what comes back', () => {
  it('from Anthropic counts cached tokens and keeps signed thinking for its own model only', async () => {
    const content = [
      { type: 'thinking', thinking: 'hm', signature: 'c2ln' },
      { type: 'text', text: 'Looking.' },
      { type: 'tool_use', id: 'toolu_1', name: 'http__probe', input: { url: 'x' } },
    ];
    const usage = { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 20 };
    const { url, requests } = await serve((response) =>
      sendJson(response, 200, { ...anthropicText(''), content, stop_reason: 'tool_use', usage }),
    );
    const answer = await ask(anthropic(url), { tools });
    expect(answer).toMatchObject({
      text: 'Looking.',
      usage: { inputTokens: 130, outputTokens: 5, cachedInputTokens: 100 },
    });
    expect(answer.toolCalls).toEqual([{ id: 'toolu_1', name: 'http.probe', arguments: { url: 'x' } }]);
    const turn = JSON.parse(JSON.stringify(answer.turn)) as typeof answer.turn;
    const messages: ModelRequest['messages'] = [
      ...request.messages,
      turn,
      { role: 'user', content: 'Go on.', toolResults: [{ id: 'toolu_1', content: 'refused', isError: true }] },
    ];
    await ask(anthropic(url), { tools, messages });
    await ask({ ...anthropic(url), model: 'claude-other' }, { tools, messages });
    const sent = requests.map(({ body }) => body.messages as { content: unknown }[]);
    expect(sent[1]?.[1]?.content).toEqual(content);
    expect(sent[2]?.[1]?.content).toEqual(content.slice(1));
    expect(sent[1]?.[2]?.content).toEqual([
      { type: 'tool_result', tool_use_id: 'toolu_1', content: 'refused', is_error: true },
      { type: 'text', text: 'Go on.' },
    ]);
  });

  it('from a compatible server may lack what OpenAI always sends', async () => {
    const call = (text: unknown) => ({ function: { name: 'http__probe', arguments: text } });
    const { url, requests } = await serve((response) =>
      sendJson(response, 200, {
        choices: [
          {
            finish_reason: 'stop',
            message: { tool_calls: [call('{"url":"x"}'), call('{"url": oops'), call({ url: 'y' })] },
          },
        ],
      }),
    );
    const answer = await ask(openai(url), { tools });
    expect(answer).toMatchObject({
      stopReason: 'tool_calls',
      text: '',
      usage: { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 },
    });
    expect(answer.toolCalls).toEqual([
      { id: 'call_1', name: 'http.probe', arguments: { url: 'x' } },
      { id: 'call_2', name: 'http.probe', arguments: '{"url": oops' },
      { id: 'call_3', name: 'http.probe', arguments: { url: 'y' } },
    ]);
    const toolResults = answer.toolCalls.map(({ id }) => ({ id, content: 'no', isError: true }));
    await ask(openai(url), {
      tools,
      messages: [...request.messages, answer.turn, { role: 'user', content: '', toolResults }],
    });
    expect(requests[1]?.body.messages).toMatchObject([
      { role: 'system' },
      { role: 'user' },
      {
        role: 'assistant',
        tool_calls: [
          { id: 'call_1' },
          { function: { arguments: '{"url": oops' } },
          { function: { arguments: '{"url":"y"}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'The call failed: no' },
      { role: 'tool' },
      { role: 'tool' },
    ]);
    await ask(anthropic(url), { tools, messages: [...request.messages, answer.turn] }).catch(() => undefined);
    expect(requests[2]?.body.messages).toMatchObject([
      {},
      { content: [{ input: { url: 'x' } }, { input: { invalid_arguments: '{"url": oops' } }, { input: { url: 'y' } }] },
    ]);
  });

  it('from OpenAI with the refusal field set is a refusal', async () => {
    const completion = openaiText('');
    const { url } = await serve((response) =>
      sendJson(response, 200, {
        ...completion,
        choices: [{ finish_reason: 'stop', message: { content: null, refusal: 'I cannot help.' } }],
      }),
    );
    expect(await reason(ask(openai(url)))).toBe(
      'no model answered the diagnose question: openai/gpt-test: it refused to answer',
    );
  });

  it('from Anthropic with a refusal category names the category', async () => {
    const { url } = await serve((response) =>
      sendJson(response, 200, {
        ...anthropicText('No'),
        stop_reason: 'refusal',
        stop_details: { type: 'refusal', category: 'cyber', explanation: 'long story' },
      }),
    );
    expect(await reason(ask(anthropic(url)))).toBe(
      'no model answered the diagnose question: anthropic/claude-test: it refused to answer (cyber)',
    );
  });

  it.each(['anthropic', 'openai'] as const)(
    'from %s with an error names type, request id and field, but no key sent along',
    async (provider) => {
      const error = {
        type: 'invalid_request_error',
        code: 'unsupported_value',
        param: 'response_format',
        message: `the prompt was: why? ${KEY}`,
      };
      const { url } = await serve((response) =>
        sendJson(
          response,
          400,
          { type: 'error', error },
          { 'request-id': `req_${KEY}`, 'x-request-id': 'req_123', 'anthropic-workspace-id': KEY },
        ),
      );
      const message = await reason(ask(providers[provider](url)));
      expect(message).not.toContain(KEY);
      expect(message).not.toContain('why?');
      expect(message).toContain(
        provider === 'openai'
          ? 'HTTP 400 (invalid_request_error, unsupported_value, about response_format, request req_123): it rejected the request as invalid'
          : 'HTTP 400 (invalid_request_error, request req_[key]): it rejected the request as invalid',
      );
    },
  );

  it.each(['anthropic', 'openai'] as const)(
    'from %s as prose where an identifier belongs is not repeated',
    async (provider) => {
      const prose = 'you asked: why?';
      const error = { type: prose, code: prose, param: prose, message: prose, details: { error_code: prose } };
      const { url } = await serve((response) =>
        sendJson(response, 400, { error }, { 'request-id': prose, 'x-request-id': prose }),
      );
      expect(await reason(ask(providers[provider](url)))).toMatch(
        /HTTP 400( \(about a field\))?: it rejected the request as invalid$/,
      );
    },
  );

  it('as a refusal with prose where a category belongs is not repeated', async () => {
    const stop = { stop_reason: 'refusal', stop_details: { category: 'you asked: why?' } };
    const { url } = await serve((response) => sendJson(response, 200, { ...anthropicText('No'), ...stop }));
    expect(await reason(ask(anthropic(url)))).toMatch(/it refused to answer$/);
  });

  it.each(['anthropic', 'openai'] as const)(
    'from %s too slowly counts as a timeout even when the headers came in time',
    async (provider) => {
      const { url } = await serve((response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).write('{"id":');
      });
      const started = performance.now();
      expect(await reason(ask({ ...providers[provider](url), timeoutSeconds: 0.3 }))).toContain(
        'no complete answer within 0.3 s',
      );
      expect(performance.now() - started).toBeLessThan(2000);
    },
  );

  it.each(['anthropic', 'openai'] as const)(
    'from %s stops coming when the caller gives up half way',
    async (provider) => {
      const { url } = await serve((response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).write('{"id":');
      });
      expect(await reason(ask(providers[provider](url), { signal: AbortSignal.timeout(150) }))).toContain(
        'the caller gave the question up',
      );
    },
  );

  it.each(['anthropic', 'openai'] as const)('from %s as a redirect is not followed', async (provider) => {
    const { url, requests } = await serve((response) => response.writeHead(307, { location: '/elsewhere' }).end());
    expect(await reason(ask(providers[provider](url)))).toContain('HTTP 307: it redirected the request');
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['a web page', 'text/html', '<h1>Sign in</h1>', /does not follow the protocol/],
    ['half a JSON document', 'application/json', '{"choices": [', /its reply is not JSON/],
    [
      'another JSON document',
      'application/json',
      '{"error":{"message":"why?"}}',
      /does not follow the protocol \(at (content|choices)\)/,
    ],
    ['nothing', 'application/json', '', /does not follow the protocol|not JSON/],
  ])('as %s is a failure', async (_, type, body, words) => {
    const { url } = await serve((response) => response.writeHead(200, { 'content-type': type }).end(body));
    expect(await reason(ask(anthropic(url)))).toMatch(words);
    expect(await reason(ask(openai(url)))).toMatch(words);
  });

  it.each(['anthropic', 'openai'] as const)(
    'from %s not at all, because the connection breaks, is a failure with the cause',
    async (provider) => {
      const { url } = await serve((response) => response.destroy());
      expect(await reason(ask(providers[provider](url)))).toMatch(
        /no connection to 127\.0\.0\.1:\d+ \(UND_ERR_SOCKET\)|\(ECONNRESET\)/,
      );
    },
  );
});

/** What a provider reads before the question itself, in the order in which it reads it. */
function prefixOf(provider: 'anthropic' | 'openai', body: Record<string, unknown>): unknown[] {
  if (provider === 'anthropic') return [body.tools, body.system];
  const [system] = body.messages as unknown[];
  return [body.tools, system];
}
