import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';

const parse = (embeddings: unknown, env: Record<string, string> = {}) =>
  parseConfig({
    env,
    directory: '/srv',
    toolsetSettings: {},
    file: { path: 'nightshift.yaml', text: JSON.stringify(embeddings === undefined ? {} : { embeddings }) },
  }).embeddings;

describe('embeddings', () => {
  it('need no network unless a provider is named', () => {
    expect(parse(undefined)).toEqual({ provider: 'offline' });
    expect(parse({ provider: 'offline' })).toEqual({ provider: 'offline' });
  });

  it('take a key from the environment, and have defaults for the rest', () => {
    const key = 'sk-' + 'test';
    const reference = ['$', '{EMBEDDINGS_KEY}'].join('');
    expect(parse({ provider: 'openai', model: 'm', apiKey: reference }, { EMBEDDINGS_KEY: key })).toEqual({
      provider: 'openai',
      model: 'm',
      apiKey: key,
      relatedFrom: 0.3,
      batchSize: 32,
      timeoutSeconds: 20,
    });
    expect(parse({ provider: 'openai', model: 'm', baseUrl: 'http://127.0.0.1:11434/v1' })).not.toHaveProperty(
      'apiKey',
    );
  });

  it.each([
    [{ provider: 'openai', model: 'm' }, /embeddings\.apiKey: is missing/],
    [{ provider: 'openai', apiKey: 'k' }, /embeddings\.model/],
    [{ provider: 'other' }, /embeddings\.provider/],
    [{ provider: 'offline', model: 'm' }, /embeddings/],
    [{ provider: 'openai', model: 'm', baseUrl: 'file:///etc/passwd' }, /embeddings\.baseUrl: write an http/],
    [{ provider: 'openai', model: 'm', apiKey: 'k', dimensions: 4001 }, /embeddings\.dimensions/],
    [{ provider: 'openai', model: 'm', apiKey: 'k', relatedFrom: 1 }, /embeddings\.relatedFrom/],
    [{ provider: 'openai', model: 'm', apiKey: 'k', batchSize: 0 }, /embeddings\.batchSize/],
    [{ provider: 'openai', model: 'm', apiKey: 'k', dimension: 3 }, /dimension/],
  ])('%j is a mistake', (embeddings, words) => expect(() => parse(embeddings)).toThrow(words));
});

describe('what is wrong with embeddings and models', () => {
  const wrong = {
    model: 5,
    apiKey: 5,
    baseUrl: 5,
    dimensions: 'a',
    relatedFrom: 2,
    batchSize: 1.5,
    timeoutSeconds: 99,
  };
  it.each([
    { embeddings: {} },
    { embeddings: 'openai' },
    { embeddings: { provider: 'other' } },
    { embeddings: { provider: 'openai' } },
    { embeddings: { provider: 'openai', ...wrong } },
    { models: ['openai'] },
    { models: [{}] },
    { models: [{ provider: 'x', model: '', apiKey: '', baseUrl: 'x', timeoutSeconds: 0.5 }] },
  ])('is said in our words, with what is expected: %j', (config) => {
    const text = JSON.stringify(config);
    const check = () =>
      parseConfig({ env: {}, directory: '/srv', toolsetSettings: {}, file: { path: 'nightshift.yaml', text } });
    expect(check).toThrow(/: write /);
    expect(check).not.toThrow(/Invalid|Too (big|small)|expected/);
  });
});
