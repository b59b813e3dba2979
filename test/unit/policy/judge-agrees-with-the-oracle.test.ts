import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judge, strictest } from '../../../src/policy/index.ts';
import type { Verdict } from '../../../src/policy/question.ts';
import { type Answer, minuteOfWeek, oracleJudge, oracleStrictest } from './oracle.ts';
import { policies, questions, verdicts } from './oracle-arbitraries.ts';

const CASES = 100_000;
/** Below this a rule has hardly been tried. */
const OFTEN = 50;
const SEED = Number(process.env.NIGHTSHIFT_TEST_SEED ?? Date.now() % 2 ** 31);

/** The rules that docs/policy.md says are always there. */
const ALWAYS_THERE = [
  ...['reads-are-free', 'risk-forbidden', 'risk-destructive', 'risk-critical', 'mode-observe', 'mode-ask'],
  ...['not-in-a-runbook', 'runbook-not-pinned', 'asked-by-hand', 'alert-too-old', 'limit-ten-minutes', 'limit-day'],
  ...['limit-namespace-hour', 'limit-share', 'nothing-allows', 'nobody-can-approve'],
];

function answerOf({ decision, risk, approvals, approvers, expirySeconds, spoke }: Verdict): Answer {
  const lines = spoke.map((one) => `${one.rule} ${one.decision}`).toSorted();
  return { decision, risk, approvals, approvers, expirySeconds, spoke: lines };
}

/** Compares as text, because a hundred thousand deep comparisons by `expect` take long. */
function expectSame(actual: Answer, expected: Answer): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) expect(actual).toEqual(expected);
}

describe('the judge and an oracle written from docs/policy.md alone', () => {
  it(`agree in ${CASES} cases, which reach every rule and every decision`, { timeout: 120_000 }, () => {
    console.info(`fast-check seed ${SEED}; NIGHTSHIFT_TEST_SEED repeats it`);
    const seen = new Map<string, number>();
    const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
    fc.assert(
      fc.property(questions, policies, (question, policy) => {
        const answer = answerOf(judge(question, policy));
        expectSame(answer, oracleJudge(question, policy));
        count(answer.decision);
        if (answer.risk !== 'read' && answer.decision === 'allow') count('allowed to change something');
        if (answer.risk !== question.call.risk) count(`${question.call.risk} to ${answer.risk}`);
        if (answer.approvers) count('some people may approve');
        for (const line of answer.spoke) count(line.split(' ')[0] ?? '');
      }),
      { numRuns: CASES, seed: SEED },
    );
    const rare = ALWAYS_THERE.filter((rule) => (seen.get(rule) ?? 0) < OFTEN);
    expect(rare, `rules that spoke fewer than ${OFTEN} times`).toEqual([]);
    for (const decision of ['allow', 'ask', 'deny', 'allowed to change something']) {
      expect((seen.get(decision) ?? 0) / CASES, decision).toBeGreaterThan(0.03);
    }
    for (const turn of ['destructive to safe', 'critical to safe', 'safe to critical', 'some people may approve']) {
      expect(seen.get(turn) ?? 0, turn).toBeGreaterThanOrEqual(OFTEN);
    }
  });

  it('agree on which of several verdicts holds', { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(fc.array(verdicts, { minLength: 1, maxLength: 3 }), (given) => {
        expectSame(answerOf(strictest(given)), oracleStrictest(given.map(answerOf)));
      }),
      { numRuns: 10_000, seed: SEED },
    );
  });
});

describe('the clocks of the oracle', () => {
  it.each([
    ...['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Beirut', 'Asia/Kathmandu', 'Pacific/Apia'],
    'Australia/Lord_Howe',
  ])(
    'show in %s what the runtime shows, before and after every change of 2026 and 2027',
    { timeout: 30_000 },
    (timeZone) => {
      const shown = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
      for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2028, 0, 1); at += 1_800_000) {
        for (const instant of [new Date(at - 1), new Date(at)]) {
          // Read back as if it were UTC, since only the weekday and the clock are wanted.
          const wall = new Date(`${shown.format(instant).replace(' ', 'T')}Z`);
          const expected = wall.getUTCDay() * 1440 + wall.getUTCHours() * 60 + wall.getUTCMinutes();
          if (minuteOfWeek(instant, timeZone) !== expected) expect(instant.toISOString()).toBe(expected);
        }
      }
    },
  );
});
