import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { whyRefused } from '../../../src/slack/incoming-guard.ts';

const now = new Date('2018-07-12T21:43:38Z');
const seconds = now.getTime() / 1000;
const signature = `v0=${'a2114d57'.repeat(8)}`;

describe('the headers of a request', () => {
  it('are taken from 300 s ago to 300 s ahead', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 100_000 }), (apart) => {
        const refused = whyRefused({ timestamp: String(seconds + apart), signature }, now) !== null;
        expect(refused).toBe(Math.abs(apart) > 300);
      }),
    );
  });

  it.each([
    '',
    ' 1531420618',
    '1531420618 ',
    '+1531420618',
    '-1531420618',
    '1531420618.0',
    '1.531420618e9',
    '0x5b47ca4a',
    '1531420618,1',
    'Infinity',
    'NaN',
    '٣',
  ])('are refused with the timestamp %j', (timestamp) => {
    expect(whyRefused({ timestamp, signature }, now)).toMatch(/timestamp/);
  });

  it.each([
    '',
    'v0=',
    signature.slice(0, -1),
    `${signature}0`,
    `${signature}=x`,
    `${signature}, ${signature}`,
    ` ${signature}`,
    signature.toUpperCase(),
    signature.replace('v0', 'v1'),
    signature.replace('v0=', ''),
  ])('are refused with the signature %j', (wrong) => {
    expect(whyRefused({ timestamp: String(seconds), signature: wrong }, now)).toMatch(/signature/);
  });

  it('are refused where one is missing', () => {
    expect(whyRefused({ timestamp: undefined, signature }, now)).toMatch(/timestamp/);
    expect(whyRefused({ timestamp: String(seconds), signature: undefined }, now)).toMatch(/signature/);
    expect(whyRefused({ timestamp: String(seconds), signature }, now)).toBeNull();
  });
});
