import { describe, expect, it } from 'vitest';
import { createRedactor } from '../../../src/telemetry/index.ts';
import { expectNothingOf } from './encodings.ts';
import { random, SAMPLES } from './secret-samples.ts';

const { value } = createRedactor({ secrets: ['s3cr3t-canary'] });

describe('data', () => {
  it('keeps its form, and everything that is no secret', () => {
    const data = {
      id: 7,
      at: new Date(0),
      ok: true,
      none: null,
      list: [1, 'two', { three: 3 }],
      maxTokens: 256,
      tokens: 12,
    };
    expect(value(data)).toEqual(data);
    expect(value('a')).toBe('a');
    expect(value(undefined)).toBeUndefined();
  });

  it('is not changed itself', () => {
    const data = Object.freeze({ password: 'hunter2', list: Object.freeze(['s3cr3t-canary']) });
    expect(value(data)).toEqual({ password: '[redacted:secret-value]', list: ['[redacted:configured]'] });
    expect(data).toEqual({ password: 'hunter2', list: ['s3cr3t-canary'] });
  });

  it('loses a private key that a log gives line by line', () => {
    const body = Array.from({ length: 9 }, (_, line) => random(22, line));
    const lines = ['before', `-----BEGIN RSA ${'PRIVATE'} KEY-----`, ...body, 'after it, words'];
    const kept = value({ lines });
    for (const line of body) expect(JSON.stringify(kept)).not.toContain(line);
    expect(kept).toEqual({ lines: ['before', '[redacted:private-key]', 'after it, words'] });
  });

  it('loses a value under a telling name that only begins like a place holder', () => {
    expect(value({ token: '{{ labels.namespace }} Y2FuYXJ5LXZhbHVl' })).toEqual({ token: '[redacted:secret-value]' });
    expect(value({ token: '$' + '{A} Y2FuYXJ5' })).toEqual({ token: '[redacted:secret-value]' });
    expect(value({ token: '{{ labels.token }}', secret: '$' + '{TOKEN}' })).toEqual({
      token: '{{ labels.token }}',
      secret: '$' + '{TOKEN}',
    });
  });

  it('loses secrets at any depth, in strings and in names', () => {
    for (const { kind, line, secret } of SAMPLES)
      expectNothingOf(secret, JSON.stringify(value({ a: [{ b: line }], [line]: 1 })), kind);
  });

  it.each([
    'password',
    'DB_PASSWORD',
    'spring.datasource.password',
    'apiKey',
    'X-Api-Key',
    'authorization',
    'Cookie',
    'clientSecret',
    'accessToken',
    'private_key',
  ])('hides what stands under %s, whatever it looks like', (name) => {
    expect(value({ [name]: 'plainword' })).toEqual({ [name]: '[redacted:secret-value]' });
  });

  it.each([
    ['password', ''],
    ['token', '$' + '{TOKEN}'],
    ['password', '$DB_PASSWORD'],
    ['secretName', 'shop-tls'],
    ['tokenFile', '/run/token'],
    ['secret', 'true'],
    ['compass', 'north'],
    ['author', 'somebody'],
  ])('shows what is no secret under %s: %j', (name, shown) => {
    expect(value({ [name]: shown })).toEqual({ [name]: shown });
  });

  it('hides the value of a container’s variable with a telling name', () => {
    const env = [
      { name: 'DB_PASSWORD', value: 'plainword' },
      { name: 'DB_HOST', value: 'db' },
    ];
    expect(value({ env })).toEqual({ env: [{ name: 'DB_PASSWORD', value: '[redacted:secret-value]' }, env[1]] });
  });

  it('hides the data of a Kubernetes Secret, and not that of other kinds', () => {
    const data = { license: 'Y2FuYXJ5', 'tls.key': 'x' };
    expect(value({ items: [{ kind: 'Secret', metadata: { name: 'shop' }, data, stringData: { a: 'b' } }] })).toEqual({
      items: [
        {
          kind: 'Secret',
          metadata: { name: 'shop' },
          data: { license: '[redacted:kubernetes-secret]', 'tls.key': '[redacted:kubernetes-secret]' },
          stringData: { a: '[redacted:kubernetes-secret]' },
        },
      ],
    });
    expect(value({ kind: 'ConfigMap', data })).toEqual({ kind: 'ConfigMap', data });
  });

  it('makes errors plain, with code and stack', () => {
    const error = Object.assign(new Error('password=hunter2 was refused'), { code: 'EAUTH' });
    const seen = value({ error }) as { error: Record<string, string> };
    expect(seen.error).toMatchObject({ message: 'password=[redacted:secret-value] was refused', code: 'EAUTH' });
    expect(seen.error.stack).toContain('redact-value.test.ts');
    expect(seen.error.stack).not.toContain('hunter2');
  });

  it('ends, however it is nested, and however much it is', () => {
    const circle: Record<string, unknown> = { name: 'a' };
    circle.self = circle;
    expect(value(circle)).toEqual({ name: 'a', self: '[left out]' });
    let deep: unknown = 'core';
    for (let level = 0; level < 100; level += 1) deep = [deep];
    expect(JSON.stringify(value(deep))).toContain('[left out]');
    const started = process.cpuUsage();
    const much = value(Array.from({ length: 40 }, () => 'x'.repeat(1024 * 1024))) as string[];
    expect(process.cpuUsage(started).user).toBeLessThan(1_000_000);
    expect(much.at(-1)).toBe('[left out]');
    expect(JSON.stringify(value({ a: `gh${'p_'}${random(36)}` }))).toBe('{"a":"[redacted:github-token]"}');
  });
});
