import { describe, expect, it } from 'vitest';
import { retentionSchema } from '../../../src/config/retention.ts';

const problemsOf = (section: object) =>
  (retentionSchema.safeParse(section).error?.issues ?? []).map(({ path, message }) => [path.join('.'), message]);

describe('the retention section', () => {
  it('keeps everything for a while that nobody has to choose', () => {
    expect(retentionSchema.parse(undefined)).toEqual({
      incidents: 400,
      learned: 1100,
      audit: 400,
      details: 90,
      modelCalls: 90,
      messages: 90,
      deliveries: 30,
    });
  });

  it('keeps no kind for less than what is still looked at', () => {
    const days = { incidents: 30, learned: 120, audit: 30, details: 7, modelCalls: 2, messages: 7, deliveries: 3 };
    expect(problemsOf(days)).toEqual([]);
    for (const [kind, least] of Object.entries(days))
      expect(problemsOf({ ...days, [kind]: least - 1 })).toContainEqual([
        kind,
        `write a whole number of days from ${least} to 36500, or forever`,
      ]);
  });

  it('keeps what is learned at least as long as incidents', () => {
    const message = 'must be at least as long as retention.incidents';
    expect(problemsOf({ incidents: 500, learned: 499 })).toEqual([['learned', `${message} (500)`]]);
    expect(problemsOf({ incidents: 'forever' })).toEqual([['learned', `${message} (forever)`]]);
    expect(problemsOf({ incidents: 'forever', learned: 'forever' })).toEqual([]);
    expect(problemsOf({ incidents: 400, learned: 'forever' })).toEqual([]);
  });
});
