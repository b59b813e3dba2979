import { describe, expect, it } from 'vitest';
import { rejudge } from '../../../src/gate/stored-questions.ts';
import { policy, question } from '../policy/make-question.ts';

describe('what the gate itself asked about', () => {
  const spoke = [{ rule: 'denied-before', decision: 'ask' as const, why: 'a person said no to it before' }];
  const verdict = {
    decision: 'ask' as const,
    risk: 'safe' as const,
    approvals: 1,
    approvers: null,
    expirySeconds: null,
    spoke,
  };
  const judged = (...approvers: (readonly string[] | null)[]) =>
    rejudge(
      {
        verdict,
        questions: approvers.map((one) => ({ ...question({ serviceApprovers: one }), runsLeftOut: 0 })) as never,
      },
      policy(),
    );

  it('is asked of the approvers of the service, although the policy would allow it', () => {
    const of = judged(['ana', 'ben']);
    expect(of).toMatchObject({ decision: 'ask', approvers: ['ana', 'ben'] });
    expect(of?.spoke.map(({ rule }) => rule)).toEqual(expect.arrayContaining(['denied-before', 'service-approvers']));
  });

  it('is asked of those whom all the services name, and of everybody where none names any', () => {
    expect(judged(['ana', 'ben'], ['ben', 'cleo'], null)).toMatchObject({ decision: 'ask', approvers: ['ben'] });
    expect(judged(null)).toMatchObject({ decision: 'ask', approvers: null });
    expect(judged(['ana'], ['cleo'])).toMatchObject({ decision: 'deny' });
  });
});
