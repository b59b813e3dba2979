/** Traffic moves on before a limit is met, and leaves alone whoever asked for it or keeps failing. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Database, openEmbedded } from '../../../src/database/index.ts';
import { createModels, type ModelRequest } from '../../../src/llm/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { modelsConfig, promptOf } from '../support/models.ts';
import { anthropicText, openaiText, rawServer, sendJson } from './raw-server.ts';

type Answer = Parameters<typeof rawServer>[0];
type Server = Awaited<ReturnType<typeof rawServer>>;

let db: Database;
let serial = 0;
const servers: Server[] = [];
const fine: Answer = (response) => sendJson(response, 200, openaiText('fine'));

beforeAll(async () => {
  db = await openEmbedded(null);
});
beforeEach(() => {
  serial += 1;
});
afterAll(async () => {
  await Promise.all(servers.map(({ close }) => close()));
  await db.close();
});

async function serve(answer: Answer): Promise<Server> {
  const server = await rawServer(answer);
  servers.push(server);
  return server;
}

const question = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  role: 'diagnose',
  prompts: [promptOf('You look.')],
  messages: [{ role: 'user', content: `question ${serial++}` }],
  maxTokens: 100,
  signal: new AbortController().signal,
  incidentId: null,
  ...more,
});
const openai = ({ url }: Server, more: object = {}) => ({
  provider: 'openai' as const,
  model: 'm',
  baseUrl: `${url}/v1`,
  ...more,
});

function modelsOf(configs: Parameters<typeof modelsConfig>[0], more: Parameters<typeof modelsConfig>[1] = {}) {
  const metrics = createMetrics();
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) });
  return { models: createModels(modelsConfig(configs, more), { db, metrics, log }), metrics, lines };
}

async function failure(promise: Promise<unknown>): Promise<Error & { code: string }> {
  return promise.then(
    (answer) => expect.fail(`it answered ${JSON.stringify(answer)}`),
    (error) => error,
  );
}

describe('a declared limit', () => {
  it('sends the next question to the next model before it is met', async () => {
    const [first, second] = [await serve(fine), await serve(fine)];
    const limits = { requestsPerMinute: 2 };
    const { models, metrics } = modelsOf([
      openai(first, { name: 'first', limits }),
      openai(second, { name: 'second' }),
    ]);
    const answers = [];
    for (let time = 0; time < 4; time += 1) answers.push(await models.ask(question()));
    expect(answers.map(({ model }) => model)).toEqual(['first', 'first', 'second', 'second']);
    expect(answers[2]?.failedOver).toEqual(['first: its limits leave no room for now']);
    expect([first.requests.length, second.requests.length]).toEqual([2, 2]);
    const { values } = await metrics.modelFailovers.get();
    expect(values).toMatchObject([{ labels: { role: 'diagnose', model: 'second' }, value: 2 }]);
  });

  it('counts tokens as they are estimated first, and then as the provider counted them', async () => {
    const server = await serve((response) =>
      sendJson(response, 200, { ...openaiText('fine'), usage: { prompt_tokens: 300, completion_tokens: 50 } }),
    );
    const { models } = modelsOf([openai(server, { limits: { tokensPerMinute: 1000 } })]);
    // Each is estimated at over 500 tokens, and takes 350.
    await models.ask(question({ maxTokens: 500 }));
    await models.ask(question({ maxTokens: 500 }));
    const error = await failure(models.ask(question({ maxTokens: 500 })));
    expect(error.message).toContain('openai/m: its limits leave no room for this question soon enough');
    expect(server.requests).toHaveLength(2);
  });

  it('is not met by many at once: those without room wait or are told, and none is sent', async () => {
    const server = await serve((response) => setTimeout(() => sendJson(response, 200, openaiText('fine')), 100));
    const { models } = modelsOf([openai(server, { limits: { requestsPerMinute: 5 } })]);
    const all = await Promise.allSettled(
      Array.from({ length: 12 }, () => models.ask(question({ signal: AbortSignal.timeout(800) }))),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect(server.requests).toHaveLength(5);
  });
});

describe('what the headers say', () => {
  it.each([
    [
      'openai',
      {
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-limit-requests': '50',
        'x-ratelimit-reset-requests': '1m0s',
      },
    ],
    ['openai', { 'x-ratelimit-remaining-tokens': '90', 'x-ratelimit-reset-tokens': '1m0s' }],
    [
      'anthropic',
      { 'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-requests-reset': '2099-01-01T00:00:00Z' },
    ],
    [
      'anthropic',
      {
        'anthropic-ratelimit-output-tokens-remaining': '99',
        'anthropic-ratelimit-output-tokens-reset': '2099-01-01T00:00:00Z',
      },
    ],
    [
      'anthropic',
      {
        'anthropic-ratelimit-input-tokens-remaining': '3',
        'anthropic-ratelimit-input-tokens-reset': '2099-01-01T00:00:00Z',
      },
    ],
  ] as const)('keeps the next question from %s: %j', async (provider, headers) => {
    const text = provider === 'openai' ? openaiText : anthropicText;
    const first = await serve((response) => sendJson(response, 200, text('first'), { ...headers }));
    const second = await serve(fine);
    const config = { provider, model: 'a', baseUrl: provider === 'openai' ? `${first.url}/v1` : first.url };
    const { models } = modelsOf([config, openai(second, { name: 'second' })]);
    expect((await models.ask(question())).text).toBe('first');
    expect((await models.ask(question())).model).toBe('second');
    expect(first.requests).toHaveLength(1);
  });

  it('does not hold once all is there again', async () => {
    const headers = { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '300ms' };
    const server = await serve((response) => sendJson(response, 200, openaiText('fine'), headers));
    const { models } = modelsOf([openai(server)]);
    await models.ask(question());
    const started = performance.now();
    await models.ask(question());
    expect(performance.now() - started).toBeGreaterThan(250);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('a provider that has had enough', () => {
  const limited =
    (headers: Record<string, string>, times: number): Answer =>
    (response) => {
      times -= 1;
      if (times >= 0) sendJson(response, 429, { error: { type: 'rate_limit_error', message: 'no' } }, headers);
      else sendJson(response, 200, openaiText('fine'));
    };

  it('is left alone as long as it said, and asked by others only then', async () => {
    const first = await serve(limited({ 'retry-after': '60' }, 1));
    const second = await serve(fine);
    const { models } = modelsOf([openai(first, { name: 'first' }), openai(second, { name: 'second' })]);
    const answers = [await models.ask(question()), await models.ask(question())];
    expect(answers.map(({ failedOver }) => failedOver[0])).toEqual([
      expect.stringMatching(/^first: HTTP 429 \(rate_limit_error\)/),
      'first: its limits leave no room for now',
    ]);
    expect(first.requests).toHaveLength(1);
  });

  it('is asked once more after the pause that it asked for, when nobody else answers', async () => {
    const server = await serve(limited({ 'retry-after-ms': '400' }, 1));
    const { models } = modelsOf([openai(server)]);
    const started = performance.now();
    expect((await models.ask(question())).text).toBe('fine');
    expect(performance.now() - started).toBeGreaterThan(390);
    expect(server.requests).toHaveLength(2);
  });

  it('is not asked again when it did not say when, or says too late', async () => {
    for (const headers of [{}, { 'retry-after': '11' }]) {
      const server = await serve(limited(headers as Record<string, string>, 9));
      const { models } = modelsOf([openai(server)]);
      expect((await failure(models.ask(question()))).message).toContain('HTTP 429');
      expect(server.requests).toHaveLength(1);
    }
  });
});

describe('an endpoint that keeps failing', () => {
  it('is left alone after five failures, which costs nothing, is logged and shows in the metrics', async () => {
    const broken = await serve((response) => sendJson(response, 503, { error: { message: 'broken' } }));
    const { models, metrics, lines } = modelsOf([
      openai(broken, { name: 'broken' }),
      openai(await serve(fine), { name: 'fine' }),
    ]);
    for (let time = 0; time < 8; time += 1) expect((await models.ask(question())).model).toBe('fine');
    expect(broken.requests).toHaveLength(5);
    expect((await models.ask(question())).failedOver).toEqual(['broken: it kept failing, so it is left alone for now']);
    expect(lines.filter(({ message }) => message === 'the circuit breaker of a model changed')).toMatchObject([
      { model: 'broken', state: 'open' },
    ]);
    const { values } = await metrics.modelBreakers.get();
    expect(values.map(({ labels, value }) => [labels.model, value])).toEqual([
      ['broken', 1],
      ['fine', 0],
    ]);
    expect((await models.state()).models.map(({ name, breaker }) => [name, breaker])).toEqual([
      ['broken', 'open'],
      ['fine', 'closed'],
    ]);
  });

  it('is asked again after half a minute, and for good once three answered', async () => {
    let isBroken = true;
    const server = await serve((response) =>
      isBroken ? response.destroy() : sendJson(response, 200, openaiText('fine')),
    );
    const { models } = modelsOf([openai(server)]);
    for (let time = 0; time < 7; time += 1) await failure(models.ask(question()));
    expect(server.requests).toHaveLength(5);
    isBroken = false;
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 30_000 });
    try {
      for (let time = 0; time < 3; time += 1) expect((await models.ask(question())).text).toBe('fine');
      expect((await models.state()).models[0]?.breaker).toBe('closed');
    } finally {
      vi.useRealTimers();
    }
  });

  it('is nobody who found a mistake of ours', async () => {
    const server = await serve((response) => sendJson(response, 400, { error: { type: 'invalid_request_error' } }));
    const { models } = modelsOf([openai(server)]);
    for (let time = 0; time < 7; time += 1) await failure(models.ask(question()));
    expect(server.requests).toHaveLength(7);
  });
});

describe('time', () => {
  it('is left for the others, however long the first one may take', async () => {
    const hanging = await serve(() => undefined);
    const { models } = modelsOf([
      openai(hanging, { name: 'hangs', timeoutSeconds: 0.3 }),
      openai(await serve(fine), { name: 'fine' }),
    ]);
    const started = performance.now();
    expect((await models.ask(question())).model).toBe('fine');
    expect(performance.now() - started).toBeLessThan(1500);
  });

  it('is up when the caller says so, while waiting for room too', async () => {
    const server = await serve((response) => setTimeout(() => sendJson(response, 200, openaiText('late')), 3000));
    const { models } = modelsOf([openai(server, { limits: { requestsPerMinute: 1 } })]);
    const first = failure(models.ask(question({ signal: AbortSignal.timeout(400) })));
    const started = performance.now();
    const error = await failure(models.ask(question({ signal: AbortSignal.timeout(200) })));
    expect(performance.now() - started).toBeLessThan(1000);
    expect(error.message).toContain('the caller gave the question up');
    await first;
    expect(server.requests).toHaveLength(1);
  });
});

describe('routing', () => {
  it('asks whom the route of the role names, by its strategy, and nobody who must not answer', async () => {
    const [a, b, c] = [await serve(fine), await serve(fine), await serve(fine)];
    const { models } = modelsOf(
      [
        openai(a, { name: 'a', model: 'a', weight: 3 }),
        openai(b, { name: 'b', model: 'b' }),
        openai(c, { name: 'c', model: 'c', tier: 'small' }),
      ],
      {
        routing: {
          judge: { models: ['b', 'a'] },
          plan: { models: ['a', 'b'], strategy: 'balance' },
          rerank: { models: ['c'] },
        },
      },
    );
    expect((await models.ask(question({ role: 'judge' }))).model).toBe('b');
    expect((await models.ask(question({ role: 'judge', notModels: ['b'] }))).model).toBe('a');
    expect((await models.ask(question({ role: 'triage' }))).model).toBe('c');
    expect((await models.ask(question({ role: 'rerank' }))).model).toBe('c');
    const error = await failure(models.ask(question({ role: 'judge', notModels: ['a', 'b'] })));
    expect(error).toMatchObject({
      code: 'llm_failed',
      message: expect.stringContaining('none but a, b, which may not'),
    });
    const planners = [];
    for (let time = 0; time < 8; time += 1) planners.push((await models.ask(question({ role: 'plan' }))).model);
    expect(planners.filter((name) => name === 'a')).toHaveLength(6);
    expect([models.namesFor('rerank'), models.namesFor('judge'), models.namesFor('answer')]).toEqual([
      ['c'],
      ['b', 'a'],
      ['a', 'b', 'c'],
    ]);
  });

  it('prefers whoever was fastest', async () => {
    const slow = await serve((response) => setTimeout(() => sendJson(response, 200, openaiText('slow')), 150));
    const { models } = modelsOf([openai(slow, { name: 'slow' }), openai(await serve(fine), { name: 'quick' })], {
      routing: { diagnose: { models: ['slow', 'quick'], strategy: 'fastest' } },
    });
    const order = [];
    for (let time = 0; time < 5; time += 1) order.push((await models.ask(question())).model);
    expect(order).toEqual(['slow', 'quick', 'quick', 'quick', 'quick']);
  });

  it('is refused at the start where it names nobody', () => {
    const config = { provider: 'openai', model: 'm', apiKey: 'k' } as const;
    expect(() => modelsOf([config, config], { routing: { plan: { models: ['openai/m', 'gone'] } } })).toThrow(
      expect.objectContaining({
        code: 'invalid_config',
        problems: [
          expect.objectContaining({ field: 'models.1.name', value: 'openai/m' }),
          expect.objectContaining({ field: 'routing.plan.models.1', value: 'gone' }),
        ],
      }),
    );
  });
});
