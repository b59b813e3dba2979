import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { PROVIDERS, type ProviderName } from '../../../src/config/index.ts';
import { contextTokensOf, costOf, priceOf } from '../../../src/llm/prices.ts';
import { modelConfig } from '../../integration/support/models.ts';

const anthropic = (model: string, more = {}) => modelConfig({ provider: 'anthropic', model, apiKey: 'k', ...more });
const tokens = (inputTokens: number, outputTokens = 0, cachedInputTokens = 0, cacheWriteTokens = 0) => ({
  ...{ inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens },
});

describe('the list of prices', () => {
  it('names a date and a source for every line', () => {
    const list = parse(readFileSync(new URL('../../../src/llm/prices.yaml', import.meta.url), 'utf8'));
    expect(list.as_of).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    for (const [id, line] of Object.entries<{ source: string }>(list.models))
      expect(line.source, id).toMatch(/^https:\/\/\S+(, https:\/\/\S+)*$/);
  });

  it.each([
    ['claude-sonnet-5-5', 2],
    ['claude-sonnet-5-5-20260928', 2],
    ['claude-sonnet-4-5', 3],
    ['claude-opus-5', 5],
    ['anthropic/claude-opus-5-5', 4],
    ['gpt-6.1-sol-2026-09-29', 2],
    ['gpt-5.4-mini', 0.75],
    ['gpt-5.5-pro', 30],
  ])('knows %s by its id', (model, input) => {
    expect(priceOf(anthropic(model))).toMatchObject({ input, assumed: false, asOf: expect.any(String) });
  });

  it.each(Object.entries(PROVIDERS))(
    'has the model that is asked of %s where nobody names one',
    (provider, { model }) => {
      expect(priceOf(modelConfig({ provider: provider as ProviderName, model, apiKey: 'k' }))).toMatchObject({
        assumed: false,
      });
      expect(
        priceOf(modelConfig({ provider: provider as ProviderName, model: 'unheard-of', apiKey: 'k' })),
      ).toMatchObject({ assumed: true });
    },
  );

  it('takes no model for another one whose id begins alike', () => {
    const elsewhere = { baseUrl: 'http://127.0.0.1:1' };
    for (const model of ['gpt-6.1-sol-fast', 'claude-opus-5-6', 'llama-4', 'gpt-5.4-micro'])
      expect(priceOf(anthropic(model, elsewhere)), model).toBeNull();
  });

  it('assumes the dearest of the provider where the provider serves what nobody knows', () => {
    expect(priceOf(anthropic('claude-next'))).toMatchObject({ output: 50, assumed: true });
    expect(priceOf(modelConfig({ provider: 'openai', model: 'gpt-next', apiKey: 'k' }))).toMatchObject({
      output: 180,
      assumed: true,
    });
  });

  it('gives way to the operator', () => {
    const price = priceOf(anthropic('claude-sonnet-5-5', { price: { input: 1, output: 3 } }));
    expect(price).toMatchObject({ input: 1, output: 3, cachedInput: 1, cacheWrite: 1, asOf: null });
  });

  it('knows how much a model reads at once', () => {
    expect(contextTokensOf(anthropic('claude-haiku-4-5'))).toBe(200_000);
    expect(contextTokensOf(anthropic('llama-4'))).toBe(32_000);
    expect(contextTokensOf(anthropic('claude-haiku-4-5', { contextTokens: 9000 }))).toBe(9000);
  });
});

describe('what a call costs', () => {
  const sonnet = priceOf(anthropic('claude-sonnet-5-5')) ?? expect.fail();

  it('counts every token once, what was read from the cache and written to it at their own prices', () => {
    expect(costOf(sonnet, tokens(1_000_000))).toBeCloseTo(2);
    expect(costOf(sonnet, tokens(0, 1_000_000))).toBeCloseTo(10);
    expect(costOf(sonnet, tokens(1_000_000, 0, 1_000_000))).toBeCloseTo(0.1);
    expect(costOf(sonnet, tokens(1_000_000, 0, 0, 1_000_000))).toBeCloseTo(2.5);
    expect(costOf(sonnet, tokens(1_000_000, 100_000, 500_000, 100_000))).toBeCloseTo(0.8 + 0.05 + 0.25 + 1);
  });

  it('is more for the whole of a long request', () => {
    const haiku = priceOf(anthropic('claude-haiku-5-5')) ?? expect.fail();
    expect(costOf(haiku, tokens(100_000, 1000))).toBeCloseTo(0.01 + 0.0005);
    expect(costOf(haiku, tokens(100_001, 1000))).toBeCloseTo(0.05 + 0.0025);
  });
});
