import { describe, expect, it } from 'vitest';
import { readExpiry } from '../../../src/cli/operator-commands.ts';

describe('when a token expires', () => {
  it('is written in days, in hours or as a time', () => {
    const now = Date.now();
    expect(Date.parse(readExpiry('90d')) - now).toBeCloseTo(90 * 86_400_000, -4);
    expect(Date.parse(readExpiry('12h')) - now).toBeCloseTo(12 * 3_600_000, -4);
    expect(readExpiry('2100-01-31')).toBe('2100-01-31T00:00:00.000Z');
    expect(readExpiry('2100-01-31T12:00:00+02:00')).toBe('2100-01-31T10:00:00.000Z');
  });

  it.each(['', 'never', '2001-01-01', '0d', '-1d', '90', '999999d', '1.5d'])('is not %j', (text) => {
    expect(() => readExpiry(text)).toThrow('Write a time to come as 90d, 12h, or 2027-01-31.');
  });
});
