import { describe, expect, it } from 'vitest';
import { remainingOf, retryAfterOf } from '../../../src/llm/rate-headers.ts';

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0);

describe('what the headers say is left', () => {
  it('is read from those of Anthropic, by the clock of their sender', () => {
    const headers = new Headers({
      date: new Date(NOW - 90_000).toUTCString(),
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-requests-remaining': '49',
      'anthropic-ratelimit-requests-reset': new Date(NOW - 80_000).toISOString(),
      'anthropic-ratelimit-input-tokens-remaining': '0',
      'anthropic-ratelimit-input-tokens-reset': '2026-11-22T13:00:00+02:00',
    });
    expect(remainingOf(headers, NOW)).toEqual({
      requests: { remaining: 49, limit: 50, resetAt: NOW + 10_000 },
      inputTokens: { remaining: 0, limit: null, resetAt: NOW - 3_600_000 + 90_000 },
    });
  });

  it.each([
    ['6s', 6000],
    ['20ms', 20],
    ['1m30.5s', 90_500],
    ['6m0s', 360_000],
    ['1d2h', 93_600_000],
    ['400d', 172_800_000],
    ['soon', 60_000],
    ['', 60_000],
  ])('is read from those of OpenAI, with a reset in %s', (reset, ms) => {
    const headers = new Headers({ 'x-ratelimit-remaining-tokens': '7', 'x-ratelimit-reset-tokens': reset });
    expect(remainingOf(headers, NOW)).toEqual({ tokens: { remaining: 7, limit: null, resetAt: NOW + ms } });
  });

  it('is nothing where they say nothing that can be read', () => {
    expect(
      remainingOf(new Headers({ 'x-ratelimit-remaining-tokens': 'many', 'x-ratelimit-reset-tokens': '6s' }), NOW),
    ).toEqual({});
    expect(remainingOf(new Headers(), NOW)).toEqual({});
  });
});

describe('the pause that a provider asks for', () => {
  it.each([
    [{ 'retry-after': '3' }, 3000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after-ms': '150', 'retry-after': '3' }, 150],
    [{ 'retry-after': new Date(NOW + 20_000).toUTCString() }, 20_000],
    [{ 'retry-after': new Date(NOW - 20_000).toUTCString() }, 0],
    [{ 'retry-after': '99999999' }, 3_600_000],
    [{ 'retry-after': 'later' }, null],
    [{}, null],
  ])('is read from %j', (headers, ms) => {
    expect(retryAfterOf(new Headers(headers as Record<string, string>), NOW)).toBe(ms);
  });
});
