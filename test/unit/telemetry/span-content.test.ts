import { afterEach, describe, expect, it } from 'vitest';
import { setSecrets } from '../../../src/telemetry/index.ts';
import { contentOf } from '../../../src/telemetry/span-content.ts';

afterEach(() => setSecrets([]));

describe('the content of a span', () => {
  it('is JSON without secrets', () => {
    setSecrets(['Zq7-canary/of+0urs']);
    const value = [{ role: 'user', parts: [{ content: 'saw Zq7-canary/of+0urs' }], password: 'hunter22' }];
    expect(JSON.parse(contentOf(value))).toEqual([
      {
        role: 'user',
        parts: [{ content: 'saw [redacted:configured]' }],
        password: '[redacted:secret-value]',
      },
    ]);
  });

  it('is redacted before it is cut, so that no half of a secret is left', () => {
    setSecrets(['Zq7-canary/of+0urs']);
    const text = contentOf({ text: `${'x'.repeat(8192 - 9)}Zq7-canary/of+0urs` });
    expect(text).not.toContain('Zq7');
    expect(text.length).toBeLessThan(8300);
  });

  it('keeps the last of what is too long together', () => {
    const messages = Array.from({ length: 20 }, (_, index) => ({ index, content: 'x'.repeat(8000) }));
    const kept = JSON.parse(contentOf(messages)) as { index: number }[];
    expect(kept.map(({ index }) => index)).toEqual([16, 17, 18, 19]);
  });

  it.each([
    ['one text of a list', [{ parts: Array.from({ length: 20 }, () => 'x'.repeat(8000)) }]],
    ['an object', Object.fromEntries(Array.from({ length: 20 }, (_, index) => [index, 'x'.repeat(8000)]))],
  ])('is never longer than 32,768 characters: %s', (_, value) => {
    expect(contentOf(value)).toHaveLength(32_768);
  });

  it('may be empty', () => {
    expect(contentOf([])).toBe('[]');
    expect(contentOf({})).toBe('{}');
  });
});
