import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LLMock } from '@copilotkit/aimock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RemoteEmbeddingsConfig } from '../../../src/config/index.ts';
import { createVectors } from '../../../src/llm/index.ts';

const KEY = 'sk-test-4f9a1c77e2d04b6f';
const DEFAULTS = { provider: 'openai', model: 'm', apiKey: KEY, relatedFrom: 0.3, batchSize: 8 } as const;

interface Asked {
  readonly input: string[];
  readonly dimensions?: number;
}

describe('embeddings over HTTP', () => {
  let server: Server;
  let asked: { body: Asked; authorization: string | undefined }[];
  let answer: (body: Asked) => { status?: number; json: unknown };
  let vectors: ReturnType<typeof createVectors>;
  let config: RemoteEmbeddingsConfig;
  beforeEach(async () => {
    asked = [];
    server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
      let text = '';
      for await (const part of request) text += part;
      const body: Asked = JSON.parse(text);
      asked.push({ body, authorization: request.headers.authorization });
      const { status = 200, json } = answer(body);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    config = { ...DEFAULTS, baseUrl: `http://127.0.0.1:${port}/v1`, timeoutSeconds: 2 };
    vectors = createVectors(config);
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const give = (lists: unknown[]) => ({ json: { data: lists.map((embedding, index) => ({ index, embedding })) } });
  const failure = (texts = ['a']) =>
    vectors(texts).then(
      () => expect.fail('it answered'),
      (error) => error,
    );

  it('speaks as OpenAI does', async () => {
    const mock = new LLMock({ port: 0 });
    await mock.start();
    try {
      const own = createVectors({ ...config, baseUrl: `${mock.url}/v1`, dimensions: 12 });
      const made = await own(['one', 'two', 'one']);
      expect(made.map(({ length }) => length)).toEqual([12, 12, 12]);
      expect(made[0]).toEqual(made[2]);
      expect(made[0]).not.toEqual(made[1]);
      expect(Math.hypot(...(made[0] ?? []))).toBeCloseTo(1, 6);
    } finally {
      await mock.stop();
    }
  });

  it('puts answers into the order of the texts, and asks for dimensions only where some are set', async () => {
    answer = ({ input }) => ({
      json: { data: input.map((text, index) => ({ index, embedding: text === 'x' ? [2, 0] : [0, 3] })).reverse() },
    });
    expect(await vectors(['x', 'y'])).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(asked[0]?.body).toEqual({ model: 'm', input: ['x', 'y'], encoding_format: 'float' });
    expect(asked[0]?.authorization).toBe(`Bearer ${KEY}`);
    await createVectors({ ...config, dimensions: 2 })(['x']);
    expect(asked[1]?.body.dimensions).toBe(2);
  });

  it.each([
    ['too few vectors', () => give([])],
    ['a number too great', () => give([[1e39]])],
    ['no numbers', () => give([[]])],
    ['text for numbers', () => give([['1']])],
    ['something else', () => ({ json: { ok: true } })],
  ])('%s is no answer', async (_name, given) => {
    answer = given;
    expect(await failure()).toMatchObject({ code: 'llm_failed', problems: [{ field: 'embeddings' }] });
    expect(asked).toHaveLength(1);
  });

  it('learns the length from the first answer, and holds every other to it', async () => {
    answer = () => give([[1, 2, 3]]);
    await vectors(['a']);
    answer = () => give([[1, 2]]);
    expect(await failure()).toMatchObject({
      code: 'invalid_config',
      problems: [{ field: 'embeddings.dimensions', value: '2', message: expect.stringContaining('3 numbers') }],
    });
    answer = () =>
      give([
        [1, 2, 3],
        [1, 2],
      ]);
    expect(await failure(['a', 'b'])).toMatchObject({ code: 'invalid_config' });
    vectors = createVectors(config);
    answer = () => give([new Array(4001).fill(1)]);
    expect(await failure()).toMatchObject({ code: 'invalid_config', message: expect.stringContaining('4,000') });
    vectors = createVectors({ ...config, dimensions: 2 });
    answer = () => give([[1, 2, 3]]);
    expect(await failure()).toMatchObject({ code: 'invalid_config' });
  });

  it('parts what is too much for one request, and shortens what is too long for the model', async () => {
    answer = ({ input }) =>
      input.length > 2 || input.some((text) => text.length > 1000)
        ? { status: 400, json: { error: { message: 'too long' } } }
        : give(input.map(({ length }) => [length, 0]));
    expect(await vectors(['a', 'b', 'c'.repeat(3000), 'd', 'e'])).toHaveLength(5);
    expect(asked.at(-1)?.body.input.join('').length).toBeLessThan(1001);
    // A request that is wrong however short it is ends soon.
    asked = [];
    answer = () => ({ status: 400, json: { error: { message: 'no' } } });
    expect(await failure(['a'.repeat(20_000), ...'bcdefgh'])).toMatchObject({ code: 'llm_failed' });
    expect(asked.length).toBeLessThan(12);
    expect(asked[0]?.body.input[0]).toHaveLength(8000);
  });

  it.each([401, 404, 429, 500])('HTTP %i is told without the key or the text, and not repeated', async (status) => {
    answer = () => ({ status, json: { error: { message: `Incorrect API key provided: ${KEY}, disk` } } });
    const error = await failure(['the disk']);
    expect(error).toMatchObject({ code: 'llm_failed', problems: [{ value: expect.stringMatching(/^m at 127/) }] });
    expect(error.message).toContain(`HTTP ${status}`);
    expect(error.message).not.toMatch(/sk-test|disk/);
    expect(asked).toHaveLength(1);
  });

  it('gives up in time', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    vectors = createVectors({ ...config, baseUrl: `http://127.0.0.1:${port}`, timeoutSeconds: 1 });
    expect((await failure()).message).toContain('within 1 s');
    await expect(vectors(['a'], AbortSignal.timeout(50))).rejects.toMatchObject({ code: 'llm_failed' });
    silent.closeAllConnections();
    silent.close();
  });
});
