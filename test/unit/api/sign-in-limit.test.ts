import { describe, expect, it } from 'vitest';
import { createSignInLimit } from '../../../src/api/sign-in-limit.ts';

describe('the limit of sign-ins', () => {
  it('is 20 a minute for each key, and over after that minute', () => {
    let now = 0;
    const limit = createSignInLimit(() => now);
    const isLet = (key: string) => {
      try {
        limit.check(key);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: 'too_many_requests', status: 429 });
        return false;
      }
    };
    for (let tries = 0; tries < 20; tries += 1) {
      expect(isLet('a')).toBe(true);
      limit.count('a');
    }
    expect([isLet('a'), isLet('b')]).toEqual([false, true]);
    now = 59_999;
    expect(isLet('a')).toBe(false);
    now = 60_000;
    expect(isLet('a')).toBe(true);
    limit.count('a');
    expect(isLet('a')).toBe(true);
  });

  it('forgets the oldest where too many try, and stays small', () => {
    const limit = createSignInLimit(() => 0);
    for (let tries = 0; tries < 20; tries += 1) limit.count('first');
    for (let other = 0; other < 9_999; other += 1) limit.count(`other ${other}`);
    expect(() => limit.check('first')).toThrow();
    limit.count('one more');
    expect(() => limit.check('first')).not.toThrow();
  });
});
