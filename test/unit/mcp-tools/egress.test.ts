import { describe, expect, it } from 'vitest';
import { isPublicAddress, permit } from '../../../src/mcp-tools/http/egress.ts';
import { readOriginPattern } from '../../../src/mcp-tools/http/origin.ts';

const listed = ['http://127.0.0.1:8080', 'https://*.shop.example'].flatMap((entry) => {
  const read = readOriginPattern(entry);
  return 'pattern' in read ? [read.pattern] : [];
});
const ask = (url: string, publicHttps = true) => permit(new URL(url), { listed, publicHttps });

describe('what may be asked', () => {
  it('is a listed origin, private or not, and nothing else unless the operator wants it', () => {
    expect(ask('http://127.0.0.1:8080/healthz', false)).toBe('listed');
    expect(ask('https://eu.shop.example/', false)).toBe('listed');
    expect(ask('https://example.org/', false)).toEqual({ problem: expect.stringContaining('not among the origins') });
  });

  it('is any other public host over https, where the operator wants it', () => {
    expect(ask('https://example.org/')).toBe('public');
    expect(ask('https://8.8.8.8:8443/')).toBe('public');
    expect(ask('https://[2606:4700::1111]/')).toBe('public');
    expect(ask('http://example.org/')).toEqual({ problem: 'is neither listed nor https' });
    expect(ask('http://127.0.0.1:8081/')).toEqual({ problem: 'is neither listed nor https' });
  });

  it.each([
    'https://user@example.org/',
    'https://:secret@example.org/',
    'https://docs.example.com@attacker.example/rb.md',
    'http://x@127.0.0.1:8080/',
  ])('is nothing with credentials in it: %s', (url) => {
    expect(ask(url)).toEqual({ problem: 'carries credentials' });
  });

  it.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
    'ⓛocalhost',
    'metadata.google.internal',
    'metadata.goog',
    'instance-data.ec2.internal',
    'metadata.azure.internal.',
    'vault.internal',
    'printer.local',
    'router.home.arpa',
    'intranet',
    'db',
    '127.0.0.1',
    '127.0.0.1.',
    '１２７。0。0。1',
    '127.1',
    '0x7f.1',
    '0177.0.0.1',
    '2130706433',
    '0',
    '10.0.0.1',
    '169.254.169.254',
    '0xa9fea9fe',
    '168.63.129.16',
    '100.100.100.200',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[64:ff9b::169.254.169.254]',
    '[fd00:ec2::254]',
  ])('is no host inside: %s', (host) => {
    expect(ask(`https://${host}/`)).toEqual({
      problem: expect.stringMatching(/^is not a public (address|host name)$/),
    });
  });
});

describe('a public address', () => {
  it.each(['8.8.8.8', '93.184.215.14', '2606:4700::1111', '2a00:1450:4001::8b'])('can be %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  // The blocks of the IANA special-purpose registries, and where clouds hand out credentials.
  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '10.1.2.3',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.0.23',
    '169.254.169.254',
    '169.254.170.2',
    '172.16.0.1',
    '172.31.255.254',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.0.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::7f00:1',
    '::ffff:8.8.8.8',
    '::ffff:0:127.0.0.1',
    '64:ff9b::8.8.8.8',
    '64:ff9b:1::7f00:1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    '4000::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    'shop.example',
    '',
  ])('is never %j', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});
