import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAllowedOrigin, type OriginPattern, readOriginPattern } from '../../../src/mcp-tools/http/origin.ts';

function pattern(text: string): OriginPattern {
  const read = readOriginPattern(text);
  if ('problem' in read) throw new Error(`${text} ${read.problem}`);
  return read.pattern;
}
const allows = (entry: string, url: string) => isAllowedOrigin(new URL(url), [pattern(entry)]);

/** Few words, so that hosts, patterns and their near misses meet often. */
const label = fc.constantFrom('shop', 'example', 'a', 'xshop', 'shopx', 'com');
const host = fc.oneof(
  fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
  fc.constantFrom('127.0.0.1', '127.0.0.2', '[::1]', 'localhost'),
);
const scheme = fc.constantFrom('http', 'https');
const port = fc.constantFrom(80, 443, 8080, 8081);

describe('the origin allow-list', () => {
  it('agrees with a comparison part by part', () => {
    const entry = fc.record({
      scheme,
      host,
      subdomain: fc.boolean(),
      port: fc.option(fc.oneof(port, fc.constant('*'))),
    });
    const asked = fc.record({
      scheme,
      host,
      port: fc.option(port),
      path: fc.constantFrom('', '/', '/a@b:80/', '?http://shop.example', '#.shop.example'),
    });
    const defaultPort = (of: string) => (of === 'https' ? 443 : 80);
    let hits = 0;
    fc.assert(
      fc.property(entry, asked, (allowed, url) => {
        const isAddress = /[\d\]]$/.test(allowed.host);
        fc.pre(!allowed.subdomain || (!isAddress && allowed.host.includes('.')));
        const text = `${allowed.scheme}://${allowed.subdomain ? '*.' : ''}${allowed.host}${allowed.port === null ? '' : `:${allowed.port}`}`;
        const wantedPort = allowed.port ?? defaultPort(allowed.scheme);
        const samePort = wantedPort === '*' || wantedPort === (url.port ?? defaultPort(url.scheme));
        const [, ...parents] = url.host.split('.');
        const sameHost = allowed.subdomain ? parents.join('.') === allowed.host : url.host === allowed.host;
        const expected = url.scheme === allowed.scheme && samePort && sameHost;
        if (expected) hits += 1;
        expect(allows(text, `${url.scheme}://${url.host}${url.port === null ? '' : `:${url.port}`}${url.path}`)).toBe(
          expected,
        );
      }),
      { numRuns: 5000 },
    );
    expect(hits).toBeGreaterThan(20);
  });

  it('lets no URL with credentials through', () => {
    fc.assert(
      fc.property(fc.constantFrom('a', 'a:b', ':b', '127.0.0.1:8080', '127.0.0.1%2f', 'a@b'), (userinfo) => {
        expect(allows('http://127.0.0.1:*', `http://${userinfo}@127.0.0.1:8080/`)).toBe(false);
      }),
    );
  });

  it('lets through only what would be connected to as it is written in the list, whatever the URL', () => {
    const piece = fc.constantFrom(
      'http',
      'https',
      '://',
      '127.0.0.1',
      '127.1',
      '0x7f.1',
      'localhost',
      'shop.example',
      'a.',
      '.',
      '@',
      ':',
      '8080',
      '80',
      '/',
      '\\',
      '?',
      '#',
      '[::1]',
      '%2e',
      '%40',
      '。',
      ' ',
      '\t',
      'ſhop.example',
      '*.',
    );
    const list = [pattern('http://127.0.0.1:8080'), pattern('https://*.shop.example')];
    let hits = 0;
    fc.assert(
      fc.property(fc.tuple(scheme, fc.array(piece, { minLength: 1, maxLength: 7 })), ([start, pieces]) => {
        const text = `${start}://${pieces.join('')}`;
        if (!URL.canParse(text) || !isAllowedOrigin(new URL(text), list)) return;
        hits += 1;
        expect(new URL(text).origin).toMatch(/^(http:\/\/127\.0\.0\.1:8080|https:\/\/[a-z0-9%*-]+\.shop\.example)$/);
      }),
      { numRuns: 20_000 },
    );
    expect(hits).toBeGreaterThan(10);
  });

  it.each([
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/healthz', true],
    ['http://127.0.0.1', 'http://127.0.0.1:80/', true],
    ['http://127.0.0.1', 'http://127.0.0.1:8080/', false],
    ['http://127.0.0.1:*', 'http://127.0.0.1:8080/', true],
    ['http://127.0.0.1:*', 'http://127.0.0.1/', true],
    ['http://127.0.0.1:*', 'https://127.0.0.1:8080/', false],
    ['http://127.0.0.1:80', 'http://localhost/', false],
    ['http://127.0.0.1:80', 'http://[::ffff:127.0.0.1]/', false],
    ['http://[::1]:9090', 'http://[0:0::1]:9090/', true],
    ['https://shop.example', 'https://SHOP.example/', true],
    ['https://shop.example', 'https://shop.example./', false],
    ['https://shop.example', 'https://shop.example.evil.example/', false],
    ['https://shop.example', 'https://evilshop.example/', false],
    ['https://*.shop.example', 'https://a.shop.example/', true],
    ['https://*.shop.example', 'https://shop.example/', false],
    ['https://*.shop.example', 'https://a.b.shop.example/', false],
    ['https://*.shop.example', 'https://.shop.example/', false],
    ['https://*.shop.example', 'https://evilshop.example/', false],
    ['https://*.shop.example', 'https://a.shop.example.evil.example/', false],
    ['https://*.shop.example:*', 'https://a.shop.example:8443/', true],
  ])('%s and %s: %s', (entry, url, expected) => {
    expect(allows(entry, url)).toBe(expected);
  });

  it.each([
    ['*', 'is not an origin'],
    ['http://*', 'is not an origin'],
    ['http://*:8080', 'is not an origin'],
    ['*://shop.example', 'is not an origin'],
    ['shop.example', 'is not an origin'],
    ['ftp://shop.example', 'is not an origin'],
    ['HTTP://shop.example', 'is not an origin'],
    ['http://shop.example/', 'is not an origin'],
    ['http://shop.example/path', 'is not an origin'],
    ['http://user@shop.example', 'is not an origin'],
    ['http://shop.*', 'is not an origin'],
    ['http://a*.shop.example', 'is not an origin'],
    ['http://*.*.shop.example', 'is not an origin'],
    ['http://a.*.shop.example', 'is not an origin'],
    ['http://shop.example:80*', 'is not an origin'],
    ['http://shop.example:080', 'is not an origin'],
    ['http://shop.example:0', 'is not an origin'],
    ['http://shop.example:', 'is not an origin'],
    ['http://shop.example\n', 'is not an origin'],
    ['http://*.com', 'right below a top-level domain'],
    ['http://*.localhost', 'right below a top-level domain'],
    ['http://*.0.0.1', 'not a host name'],
    ['http://*.[::1]', 'right below a top-level domain'],
    ['http://shop.example.', 'ends in a dot'],
    ['http://shop.example:65536', 'above 65535'],
    ['http://Shop.example', 'write shop.example'],
    ['http://127.1', 'write 127.0.0.1'],
    ['http://0x7f000001:80', 'write 127.0.0.1'],
    ['http://[0:0::1]', 'write [::1]'],
    ['http://[::ffff:127.0.0.1]', 'write [::ffff:7f00:1]'],
    ['http://bücher.example', 'write xn--bcher-kva.example'],
    ['http://1.2.3.4.5', 'a host that no URL can have'],
  ])('takes no entry %j', (entry, problem) => {
    expect(readOriginPattern(entry)).toEqual({ problem: expect.stringContaining(problem) });
  });
});
