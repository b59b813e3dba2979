/** How one person's answer counts, and when it does not. */
import { describe, expect, it } from 'vitest';
import { type Approval, boundFields, digestOf, type Subject, type Vote } from '../../../src/approval/index.ts';
import { count, refusalOf } from '../../../src/approval/vote.ts';

const NOW = new Date('2026-11-21T03:00:00.000Z');

const subject = (change: Partial<Subject> = {}): Subject => ({
  incident: 'INC-7',
  action: 'act-abcdefgh23',
  instance: 'shop',
  tool: 'host.purge',
  definitionSha256: 'a'.repeat(64),
  arguments: { directory: 'spool' },
  target: 'shop:directory spool',
  labels: { env: 'prod' },
  uid: '8:42',
  risk: 'destructive',
  step: '1.1.1',
  policySha256: 'b'.repeat(64),
  required: 1,
  approvers: null,
  barred: [],
  requestedBy: null,
  preview: null,
  undo: 'nothing',
  expiresAt: '2026-11-21T03:15:00.000Z',
  nonce: 'c'.repeat(32),
  ...change,
});

const asked = (of: Partial<Subject> = {}, change: Partial<Approval> = {}): Approval => {
  const whole = subject(of);
  return {
    id: 'k3v9x2abcd',
    incidentId: 7,
    actionId: whole.action,
    digest: digestOf(whole),
    subject: whole,
    required: whole.required,
    status: 'pending',
    expiresAt: new Date(NOW.getTime() + 1),
    createdAt: NOW,
    decidedAt: null,
    usedAt: null,
    votes: [],
    ...change,
  };
};
const voted = (principal: string, decision: Vote['decision'] = 'approve'): Vote => ({
  principal,
  decision,
  reason: '',
  via: 'cli',
  at: NOW,
});
const says = (principal: string, decision: 'approve' | 'deny' = 'approve', digest?: string) => ({
  approvalId: 'k3v9x2abcd',
  decision,
  principal,
  reason: '',
  via: 'api',
  ...(digest === undefined ? {} : { digest }),
});
const refusal = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { code, message };
  }
  return null;
};

describe('a vote', () => {
  it('approves when one is enough, and waits for another where two are needed', () => {
    expect(count(asked(), says('ana'), NOW)).toEqual({ yes: 1, status: 'approved' });
    expect(count(asked({ required: 2 }), says('ana'), NOW)).toEqual({ yes: 1, status: 'pending' });
    expect(count(asked({ required: 2 }, { votes: [voted('ben')] }), says('ana'), NOW)).toEqual({
      yes: 2,
      status: 'approved',
    });
    expect(count(asked({ required: 3 }, { votes: [voted('ben')] }), says('ana'), NOW)).toEqual({
      yes: 2,
      status: 'pending',
    });
  });

  it('counts different people, and only those who said yes', () => {
    const three = (votes: Vote[]) => count(asked({ required: 3 }, { votes }), says('ana'), NOW);
    expect(three([voted('ben'), voted('cleo')])).toEqual({ yes: 3, status: 'approved' });
    expect(three([voted('ben', 'deny'), voted('cleo')])).toEqual({ yes: 2, status: 'pending' });
  });

  it('goes by what was asked and not by the row beside it', () => {
    expect(count(asked({ required: 2 }, { required: 1 }), says('ana'), NOW).status).toBe('pending');
  });

  it('denies at once, whoever says so and however many said yes before', () => {
    expect(count(asked({ required: 3 }, { votes: [voted('ben'), voted('cleo')] }), says('ana', 'deny'), NOW)).toEqual({
      yes: 2,
      status: 'denied',
    });
    const named = { approvers: ['ben'], barred: ['ana'], requestedBy: 'ana' };
    expect(count(asked(named), says('ana', 'deny'), NOW)).toEqual({ yes: 0, status: 'denied' });
  });

  it('does not count as a yes from who asked for it, who wrote it, or whom the policy does not name', () => {
    expect(refusal(() => count(asked({ requestedBy: 'ana', barred: ['ana'] }), says('ana'), NOW))).toEqual({
      code: 'forbidden',
      message: 'ana cannot approve k3v9x2abcd: you asked for it yourself. Fix: let somebody else approve it',
    });
    expect(refusal(() => count(asked({ barred: ['ben', 'ana'] }), says('ana'), NOW))).toEqual({
      code: 'forbidden',
      message: 'ana cannot approve k3v9x2abcd: you changed its runbook last. Fix: let somebody else approve it',
    });
    expect(refusal(() => count(asked({ approvers: ['ben', 'cleo'] }), says('ana'), NOW))).toEqual({
      code: 'forbidden',
      message: 'ana cannot approve k3v9x2abcd: the policy names other people. Fix: ask one of ben, cleo',
    });
    expect(refusal(() => count(asked({ approvers: [] }), says('ana'), NOW))?.code).toBe('forbidden');
    expect(count(asked({ approvers: ['ana'], barred: ['ben'], requestedBy: 'ben' }), says('ana'), NOW).status).toBe(
      'approved',
    );
  });

  it.each(['approve', 'deny'] as const)('to %s is refused once it is decided', (decision) => {
    for (const status of ['approved', 'denied', 'expired', 'superseded'] as const) {
      const decided = asked({}, { status, votes: [voted('ben'), voted('cleo', 'deny')] });
      expect(refusal(() => count(decided, says('ana', decision), NOW))).toEqual({
        code: 'conflict',
        message: `approval k3v9x2abcd of INC-7 is ${status} already (ben via cli, cleo via cli); the first decision counts`,
      });
    }
    expect(refusal(() => count(asked({}, { status: 'expired' }), says('ana', decision), NOW))?.message).toBe(
      'approval k3v9x2abcd of INC-7 is expired already; the first decision counts',
    );
  });

  it('is refused from the very moment that it expires', () => {
    expect(refusal(() => count(asked({}, { expiresAt: NOW }), says('ana'), NOW))).toEqual({
      code: 'conflict',
      message:
        'approval k3v9x2abcd of INC-7 expired at 2026-11-21T03:00:00.000Z. Fix: ask again with: nightshift ask-again INC-7',
    });
    expect(refusal(() => count(asked({}, { expiresAt: NOW }), says('ana', 'deny'), NOW))?.code).toBe('conflict');
    expect(count(asked({}, { expiresAt: new Date(NOW.getTime() + 1) }), says('ana'), NOW).status).toBe('approved');
  });

  it('is refused when the subject, its digest, or what the person was shown is another one', () => {
    const message =
      'approval k3v9x2abcd of INC-7 is not about the action that you were shown. Fix: look at it again with: nightshift approvals';
    const whole = asked();
    const altered = { ...whole, subject: subject({ arguments: { directory: 'other' } }) };
    expect(refusal(() => count(altered, says('ana'), NOW))).toEqual({ code: 'conflict', message });
    expect(refusal(() => count(whole, says('ana', 'approve', 'f'.repeat(64)), NOW))?.message).toBe(message);
    expect(refusal(() => count(whole, says('ana', 'approve', ''), NOW))?.message).toBe(message);
    expect(count(whole, says('ana', 'approve', whole.digest), NOW).status).toBe('approved');
  });

  it('counts once for each person', () => {
    const once = asked({ required: 2 }, { votes: [voted('ana')] });
    expect(refusal(() => count(once, says('ana'), NOW))).toEqual({
      code: 'conflict',
      message: 'approval k3v9x2abcd of INC-7 has your answer already; it needs 2 different people',
    });
  });
});

describe('what would be refused', () => {
  const cases = [
    asked(),
    asked({ requestedBy: 'ana' }),
    asked({ barred: ['ana'] }),
    asked({ approvers: ['ben'] }),
    asked({ required: 2 }, { votes: [voted('ana')] }),
    asked({}, { status: 'denied', votes: [voted('ben', 'deny')] }),
    asked({}, { expiresAt: NOW }),
  ];
  it.each(cases)('is known beforehand in the words of the refusal: %#', (question) => {
    for (const decision of ['approve', 'deny'] as const) {
      const told = refusalOf(question, { decision, principal: 'ana' }, NOW);
      expect(told && { code: told.code, message: told.message }).toEqual(
        refusal(() => count(question, says('ana', decision), NOW)),
      );
    }
    const mayDeny = question.status === 'pending' && question.expiresAt > NOW && question.votes.length === 0;
    expect(refusalOf(question, { decision: 'deny', principal: 'ana' }, NOW) === null).toBe(mayDeny);
    expect(refusalOf(question, { decision: 'approve', principal: 'ana' }, NOW) === null).toBe(question === cases[0]);
  });
});

describe('what must still be the same when it is sent', () => {
  it('is all that can be read anew, and takes nothing of what was planned for granted', () => {
    const call = {
      instance: 'now',
      tool: 'host.now',
      arguments: { directory: 'now' },
      target: 'now:directory now',
      risk: 'destructive' as const,
      undo: 'of the tool',
      timeoutSeconds: 1,
      definitionSha256: 'd'.repeat(64),
    };
    const action = {
      id: 'act-1',
      incidentId: 7,
      cycle: 2,
      attempt: 3,
      ordinal: 4,
      instance: 'planned',
      tool: 'host.planned',
      arguments: {},
      target: 'planned',
      risk: 'safe' as const,
      undo: 'of the runbook',
      definitionSha256: 'e'.repeat(64),
      labels: {},
      fingerprint: 'f',
      origin: 'person:ana',
      reason: 'r',
      expectedEffect: 'e',
      status: 'approved' as const,
      decision: null,
      result: null,
      undoOf: null,
      requestedBy: 'ana',
      inspection: null,
      effect: null,
      createdAt: NOW,
      sentAt: null,
    };
    expect(
      boundFields(action, { call, inspection: { uid: '8:42' }, risk: 'critical', policySha256: 'p'.repeat(64) }),
    ).toEqual({
      incident: 'INC-7',
      action: 'act-1',
      step: '2.3.4',
      requestedBy: 'ana',
      undo: 'of the runbook',
      instance: 'now',
      tool: 'host.now',
      definitionSha256: 'd'.repeat(64),
      arguments: { directory: 'now' },
      target: 'now:directory now',
      labels: {},
      uid: '8:42',
      risk: 'critical',
      policySha256: 'p'.repeat(64),
    });
  });
});
