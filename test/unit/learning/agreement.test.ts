import { describe, expect, it } from 'vitest';
import { agreementOf, countAgreement } from '../../../src/learning/index.ts';

const scored = (score: number, helpful: number, unhelpful: number) => ({
  incidentId: 1,
  cycle: 1,
  status: 'scored',
  model: 'm',
  cause: score,
  grounded: score,
  outcome: score,
  reason: '',
  scoredAt: null,
  helpful,
  unhelpful,
});

describe('the agreement of the judge with people', () => {
  it("is the share and Cohen's kappa of a known table", () => {
    // Cohen's own kind of example: 20 + 15 agree of 50, expected by chance 0.5.
    const { share, kappa, incidents } = agreementOf({ bothGood: 20, judgeGood: 5, peopleGood: 10, bothBad: 15 });
    expect(incidents).toBe(50);
    expect(share).toBeCloseTo(0.7);
    expect(kappa).toBeCloseTo(0.4);
  });

  it('is complete, none beyond chance, or the opposite', () => {
    expect(agreementOf({ bothGood: 5, judgeGood: 0, peopleGood: 0, bothBad: 5 }).kappa).toBe(1);
    expect(agreementOf({ bothGood: 4, judgeGood: 4, peopleGood: 4, bothBad: 4 }).kappa).toBe(0);
    expect(agreementOf({ bothGood: 0, judgeGood: 5, peopleGood: 5, bothBad: 0 }).kappa).toBe(-1);
  });

  it('says nothing where there is nothing to say', () => {
    expect(agreementOf({ bothGood: 0, judgeGood: 0, peopleGood: 0, bothBad: 0 })).toMatchObject({
      share: null,
      kappa: null,
    });
    expect(agreementOf({ bothGood: 9, judgeGood: 0, peopleGood: 0, bothBad: 0 })).toMatchObject({
      share: 1,
      kappa: null,
    });
  });

  it('counts incidents with a score and more votes one way than the other', () => {
    const unscored = { ...scored(1, 1, 0), cause: null, grounded: null, outcome: null };
    const all = [
      scored(0.9, 2, 1),
      scored(0.9, 0, 1),
      scored(0.1, 1, 0),
      scored(0.1, 0, 1),
      scored(0.9, 1, 1),
      unscored,
    ];
    expect(countAgreement(all)).toEqual({ bothGood: 1, judgeGood: 1, peopleGood: 1, bothBad: 1 });
  });
});
