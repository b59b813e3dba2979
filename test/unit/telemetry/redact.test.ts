import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from '../../../src/telemetry/index.ts';
import { ENCODINGS, expectNothingOf, MORE_ENCODINGS } from './encodings.ts';
import { hex, ORDINARY, random, SAMPLES } from './secret-samples.ts';

const { text } = createRedactor({ secrets: [] });

describe('a secret of a known kind', () => {
  it.each(SAMPLES.map((sample) => [sample.kind, sample] as const))(
    '%s is taken out in every encoding',
    (kind, { line, secret }) => {
      for (const [name, encode] of Object.entries({ ...ENCODINGS, ...MORE_ENCODINGS })) {
        const seen = text(encode(line));
        expectNothingOf(secret, seen, `${kind}, ${name}`);
        expect(seen).toContain('[redacted:');
        expect(text(seen), `${kind}, ${name}, again`).toBe(seen);
      }
    },
  );

  it('is replaced by its kind, and what is around it stays', () => {
    expect(text(`use gh${'p_'}${random(36)} for shop`)).toBe('use [redacted:github-token] for shop');
    expect(text('connect redis://:p4ss-w0rd@cache:6379/0')).toBe(
      'connect redis://:[redacted:url-credentials]@cache:6379/0',
    );
    expect(text('{"user":"ops","password":"a\\"b","db":1}')).toBe(
      '{"user":"ops","password":"[redacted:secret-value]","db":1}',
    );
    expect(text('user=ops password=hunter2 db=shop')).toBe('user=ops password=[redacted:secret-value] db=shop');
    expect(text('Server=db;Password=ab;cd;Encrypt=true')).toBe(
      'Server=db;Password=[redacted:secret-value];Encrypt=true',
    );
    expect(text('q=%7B%22token%22%3A%22Hw7%21qz9%22%7D&x=1')).toBe(
      'q=%7B%22token%22%3A%22[redacted:secret-value]%22%7D&x=1',
    );
  });

  it('leaves no half where somebody else has cut it', () => {
    const token = `gh${'p_'}${random(36)}`;
    for (let length = 16; length <= token.length; length += 1)
      expectNothingOf(token.slice(4, length), text(token.slice(0, length)), `${length}`);
    expect(text(`{"password":"Hw7!qz9-and-then-it-was-c`)).toBe('{"password":"[redacted:secret-value]');
  });

  it('leaves no half where it is cut here, wherever the cut falls', () => {
    for (const { kind, line, secret } of SAMPLES) {
      for (let max = 1; max < line.length; max += 7) {
        const seen = text(line, max);
        expect(seen.length).toBeLessThanOrEqual(max);
        expectNothingOf(secret, seen, `${kind} at ${max}`);
        const shown = seen.replace(/\[(redacted(:[a-z-]*\]?)?|r[edact]*)?$/, '');
        for (let size = 6; size <= Math.min(shown.length, secret.length); size += 1)
          expect(shown.endsWith(secret.slice(0, size)), `${kind} at ${max}: ${seen}`).toBe(false);
      }
    }
  });

  it('is found where the lines of a log are a list, also if it ends without its END', () => {
    const lines = [['-----BEGIN RSA ', 'PRIVATE KEY-----'].join(''), ...Array.from({ length: 9 }, () => random(22))];
    const said = JSON.stringify({ errors: 3, lines });
    expect(text(said)).toBe('{"errors":3,"lines":["[redacted:private-key]"]}');
    expect(text(JSON.stringify({ result: said }))).toBe(JSON.stringify({ result: text(said) }));
  });

  it('is found beyond the cut, up to which nothing of it may be shown', () => {
    const key = ['-----BEGIN ', 'PRIVATE KEY-----\n', `${random(64)}\n`.repeat(100)].join('');
    expect(text(`${'a '.repeat(100)}${key}`, 300)).toBe(`${'a '.repeat(100)}[redacted:private-key]`);
  });
});

describe('ordinary text', () => {
  it.each(ORDINARY)('stays: %s', (line) => {
    expect(text(line)).toBe(line);
    expect(text(JSON.stringify({ line }))).toBe(JSON.stringify({ line }));
  });

  it('stays, whatever hashes, names and numbers it is made of', () => {
    const word = fc.oneof(
      fc.constantFrom(
        hex(7),
        hex(16),
        hex(32),
        hex(40),
        hex(64),
        `sha256:${hex(64)}`,
        'checkout-7d9f8b6c5-x2x4z',
        'INC-7',
      ),
      fc.uuid(),
      fc.ipV4(),
      fc.integer().map(String),
      fc.constantFrom(
        'pod',
        'failed',
        'in',
        'namespace',
        'payments',
        'status=503',
        'level=error',
        '"ready":false',
        '/var/lib/kubelet',
      ),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        expect(text(words.join(' '))).toBe(words.join(' '));
      }),
    );
  });
});

describe('a configured secret', () => {
  const secret = 'Tr0ub4dor-canary/é+1';
  const known = createRedactor({ secrets: [secret, 'jg2jgsjlhjh5'] });

  it('is taken out in every encoding, with nothing telling beside it', () => {
    const encodings = { ...ENCODINGS, ...MORE_ENCODINGS };
    for (const [name, encode] of Object.entries(encodings)) {
      const seen = known.text(encode(`the value ${secret} was seen`));
      expectNothingOf(secret, seen, name);
      expect(text(encode(`the value ${secret} was seen`)), name).not.toContain('[redacted:');
    }
    for (const before of ['', 'a', 'ab', 'abc'])
      expectNothingOf(secret, known.text(`b64 ${Buffer.from(before + secret).toString('base64')}`), before);
  });

  it('is found in base64 even if that has no capital', () => {
    expect(Buffer.from('jg2jgsjlhjh5').toString('base64')).toBe('amcyamdzamxoamg1');
    expect(known.text('x amcyamdzamxoamg1 y')).toBe('x [redacted:configured] y');
  });

  it('is not looked for where it could be any word', () => {
    const weak = createRedactor({ secrets: ['postgres', 'nightshift', 'redis', '12345678', ''] });
    expect(weak.text('nightshift and postgres and redis 12345678')).toBe('nightshift and postgres and redis 12345678');
    expect(weak.text('postgres://app:postgres@db/shop')).toBe('postgres://app:[redacted:url-credentials]@db/shop');
  });
});

describe('text of any size and shape', () => {
  const LENGTH = 10 * 1024 * 1024;
  const fill = (piece: string) => piece.repeat(Math.ceil(LENGTH / piece.length)).slice(0, LENGTH);
  const begin = ['-----BEGIN ', 'PRIVATE KEY-----'].join('');

  it.each([
    'x',
    'aA1',
    ' ',
    '\n',
    '\\',
    '\\"',
    '%',
    '%25',
    '%5C%6E\\',
    '\\u0041',
    '://',
    '://a:b@',
    'password=',
    'password: ',
    '"password":"\\"',
    'password=,aaaa',
    'authorization: ',
    'Bearer aaaaaaaa ',
    'cookie: a=b;',
    begin,
    `${begin}\n${'A'.repeat(64)}\n`,
    `${begin.replace('BEGIN', 'END')}\n`,
    'kind: Secret\ndata:\n  a: YWJj\n',
    'kind: Secret\nstringData:\n  a: |\n    b\n',
    'eyJ',
    '.eyJaaaa',
    '1234567890:AA',
    '@tcp(aaa:bbb',
    '--a',
    '<password>aaa',
    'name: a_password\n',
    'secret is aA1bB2cC3dD4eE5fF6gG7 ',
    'QUJDREVGR0hJSktM\n',
    Buffer.from('password=abc ').toString('base64'),
  ])('takes less than a second for 10 MiB of %j', (piece) => {
    const input = fill(piece);
    const started = process.cpuUsage();
    expect(text(input).length).toBeLessThanOrEqual(262_144);
    // Of the processor's time, which does not depend on what else the machine does.
    expect(process.cpuUsage(started).user).toBeLessThan(1_000_000);
  });

  it('never grows what is left of it beyond the limit, and is well-formed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(40), (any, max) => {
        const seen = text(any, max);
        expect(seen.length).toBeLessThanOrEqual(Math.max(max, seen.includes('[redacted') ? 10 * any.length + 40 : max));
        expect(any.isWellFormed() && !seen.isWellFormed()).toBe(false);
      }),
    );
  });
});
