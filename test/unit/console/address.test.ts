/** Where a link in a runbook leads, and how labels are read that people type. */
import { describe, expect, it } from 'vitest';
import { readLabels } from '../../../web/src/policy/read-labels.ts';
import { addressWithin, anchorOf, runbookAddress } from '../../../web/src/runbooks/address.ts';

describe('a link in a runbook', () => {
  it.each([
    ['#two', 'a.md', '#two'],
    ['other.md', 'a.md', '/runbooks/view?path=other.md'],
    ['./other.md#undo', 'shop/a.md', '/runbooks/view?path=shop/other.md#undo'],
    ['../x%20y.md', 'shop/a.md', '/runbooks/view?path=x%20y.md'],
    ['a+b&c.md', 'a.md', '/runbooks/view?path=a%2Bb%26c.md'],
    ['%E0.md', 'a.md', '/runbooks/view?path=%E0.md'],
    ['https://example.com/other.md', 'a.md', null],
    ['//example.com/other.md', 'a.md', null],
    ['/other.md', 'a.md', null],
    ['mailto:a@example.com', 'a.md', null],
    ['picture.png', 'a.md', null],
  ])('to %s in %s leads to %s', (href, path, address) => {
    expect(addressWithin(href, path)).toBe(address);
  });

  it('finds a heading by its words, as on GitHub', () => {
    expect(anchorOf('When it is `full`: what now?')).toBe('when-it-is-full-what-now');
    expect(anchorOf('Größe & Zahl_2')).toBe('größe--zahl_2');
  });

  it('is written with its lines', () => {
    expect(runbookAddress('a b.md', { from: 3, to: 5 })).toBe('/runbooks/view?path=a%20b.md&from=3&to=5');
  });
});

describe('labels that people type', () => {
  it.each([
    ['', {}],
    [' service=checkout , env=prod ', { service: 'checkout', env: 'prod' }],
    ['url=http://x?a=b', { url: 'http://x?a=b' }],
    ['text="one, two", env="a\\"b"', { text: 'one, two', env: 'a"b' }],
    ['empty=,env=prod', { empty: '', env: 'prod' }],
    ['service', null],
    ['service=checkout, nonsense', null],
    ['=x', null],
  ])('%s', (text, labels) => {
    expect(readLabels(text)).toEqual(labels);
  });
});
