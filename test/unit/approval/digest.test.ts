/** T5: what a person said yes to is exactly what may run; whatever is altered makes another digest. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { draftApproval } from '../../../src/approval/approval.ts';
import { digestOf, type Subject } from '../../../src/approval/index.ts';
import { subjectSchema } from '../../../src/approval/subject.ts';
import { action } from '../slack/render-examples.ts';

const SUBJECT: Subject = {
  incident: 'INC-7',
  action: 'act-abcdefgh23',
  instance: 'shop',
  tool: 'host.purge',
  definitionSha256: 'a'.repeat(64),
  arguments: { directory: 'spool', count: 3 },
  target: 'shop:directory spool',
  labels: { env: 'prod' },
  uid: '8:42',
  risk: 'destructive',
  step: '1.1.1',
  policySha256: 'b'.repeat(64),
  required: 1,
  approvers: ['ana', 'ben'],
  barred: ['cleo'],
  requestedBy: 'cleo',
  preview: ['would delete 3 files'],
  undo: 'nothing brings the files back',
  expiresAt: '2026-11-21T03:15:00.000Z',
  nonce: 'c'.repeat(32),
};

const text = fc.string({ unit: 'binary', maxLength: 80 }).filter((one) => one.isWellFormed());
const names = fc.option(fc.array(text, { maxLength: 4 }));
const OTHER: { [Field in keyof Subject]-?: fc.Arbitrary<unknown> } = {
  incident: text,
  action: text,
  instance: text,
  tool: text,
  definitionSha256: text,
  arguments: fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null))),
  target: text,
  labels: fc.dictionary(text, text),
  uid: fc.option(text),
  risk: text,
  step: text,
  policySha256: text,
  required: fc.integer(),
  approvers: names,
  barred: fc.array(text, { maxLength: 4 }),
  requestedBy: fc.option(text),
  preview: names,
  undo: text,
  secrets: fc.array(fc.dictionary(text, text)),
  expiresAt: text,
  nonce: text,
};

describe('the digest of an approval', () => {
  it.each(Object.keys(OTHER) as (keyof Subject)[])('is another one for 200 other values of %s', (field) => {
    const digest = digestOf(SUBJECT);
    fc.assert(
      fc.property(OTHER[field], (value) => {
        fc.pre(JSON.stringify(value) !== JSON.stringify(SUBJECT[field]));
        expect(digestOf({ ...SUBJECT, [field]: value } as Subject)).not.toBe(digest);
      }),
      { numRuns: 200 },
    );
  });

  it('is another one for every single character that is changed, and for a field that is left out', () => {
    const digest = digestOf(SUBJECT);
    for (const [field, value] of Object.entries(SUBJECT)) {
      const { [field as keyof Subject]: _left, ...without } = SUBJECT;
      expect(digestOf(without as Subject), field).not.toBe(digest);
      if (typeof value !== 'string') continue;
      for (let at = 0; at < value.length; at += 1) {
        const changed = `${value.slice(0, at)}\u0001${value.slice(at + 1)}`;
        expect(digestOf({ ...SUBJECT, [field]: changed } as Subject), `${field} ${at}`).not.toBe(digest);
      }
    }
  });

  it('is another one for each thing that is said of a secret, and the same as ever where there is none', () => {
    const secret = {
      argument: 'token',
      characters: 16,
      alert: 'Leak',
      field: 'label',
      name: 'note',
      places: 1,
    } as const;
    const told = (change = {}) => digestOf({ ...SUBJECT, secrets: [{ ...secret, ...change }] });
    const changes = [
      {},
      { argument: 'name' },
      { characters: 17 },
      { alert: 'Other' },
      { name: 'summary' },
      { places: 2 },
    ];
    const digests = [...changes.map(told), told({ field: 'annotation' }), digestOf({ ...SUBJECT, secrets: [] })];
    expect(new Set([...digests, digestOf(SUBJECT)]).size).toBe(digests.length + 1);
    expect(digestOf(subjectSchema.parse(JSON.parse(JSON.stringify(SUBJECT))))).toBe(digestOf(SUBJECT));
    const { instance, tool, arguments: args, target, risk, undo, definitionSha256, ...rest } = action();
    const call = { instance, tool, arguments: args, target, risk, undo, definitionSha256, timeoutSeconds: 5 };
    const terms = {
      call,
      risk,
      inspection: { uid: null, population: null, preview: null },
      verdict: { approvals: 1, approvers: null, expirySeconds: null },
      barred: [],
      policySha256: 'p',
      ttlSeconds: 60,
      now: rest.createdAt,
    };
    // A question without any is one that an earlier release can read.
    expect(draftApproval(action(), { ...terms, secrets: [] }).subject).not.toHaveProperty('secrets');
    expect(draftApproval(action(), { ...terms, secrets: [secret] }).subject.secrets).toEqual([secret]);
    const stored = JSON.parse(JSON.stringify({ ...SUBJECT, secrets: [secret] })) as unknown;
    expect(digestOf(subjectSchema.parse(stored))).toBe(told());
  });

  it('does not depend on the order of the fields, and is no digest of anything else', () => {
    const reversed = Object.fromEntries(Object.entries(SUBJECT).reverse()) as Subject;
    expect(digestOf(reversed)).toBe(digestOf(SUBJECT));
    expect(digestOf(SUBJECT)).toMatch(/^[0-9a-f]{64}$/);
    // Pinned, so that approvals which people gave to an earlier release are still what they were.
    expect(digestOf(SUBJECT)).toMatchInlineSnapshot(
      `"4a626c24b7890d03bfbc0474e468c93399683086bd91e35316dca8819e0ddaaf"`,
    );
  });
});
