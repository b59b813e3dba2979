import { createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Call, canonicalSha256, verifyClearance } from '../../../src/mcp-tools/index.ts';
import { createMint } from '../../../src/policy/index.ts';

const call: Call = {
  instance: 'shop',
  tool: 'supervisor.restart',
  arguments: { process: 'web', b: 1 },
  target: 't',
  risk: 'safe',
  undo: 'x',
  timeoutSeconds: 1,
  definitionSha256: 'd',
};
const now = new Date('2026-11-01T10:00:00Z');
const mint = createMint();
const publicKey = createPublicKey(mint.publicKey);
const signed = mint.clear(call, { incident: 'INC-1', action: 'act-1', grantor: 'policy x' }, now);
const exact = { instance: 'shop', tool: 'supervisor.restart', arguments: { b: 1, process: 'web' } };

describe('clearance', () => {
  it('clears exactly the call it was minted for, whatever the order of its arguments', () => {
    expect(verifyClearance(signed, exact, { publicKey, now })).toMatchObject({ action: 'act-1' });
  });

  it.each([
    ['another tool', { ...exact, tool: 'supervisor.stop' }, /another tool/],
    ['another instance', { ...exact, instance: 'bank' }, /another tool/],
    ['other arguments', { ...exact, arguments: { process: 'db', b: 1 } }, /other arguments/],
    ['more arguments', { ...exact, arguments: { process: 'web', b: 1, c: 2 } }, /other arguments/],
  ])('does not clear %s', (_name, other, message) => {
    expect(() => verifyClearance(signed, other, { publicKey, now })).toThrowError(message);
  });

  it('is refused when missing, late, changed in any field, or signed by another', () => {
    expect(() => verifyClearance(undefined, exact, { publicKey, now })).toThrowError(/without a clearance/);
    expect(() => verifyClearance(signed, exact, { publicKey, now: new Date(now.getTime() + 9_000) })).toThrowError(
      /expired/,
    );
    for (const field of Object.keys(signed.clearance) as (keyof typeof signed.clearance)[]) {
      const changed = {
        ...signed,
        clearance: { ...signed.clearance, [field]: field === 'v' ? 1 : `${signed.clearance[field]}x` },
      };
      if (field === 'v') continue;
      expect(() => verifyClearance(changed, exact, { publicKey, now }), field).toThrow();
    }
    const other = createMint().clear(call, { incident: 'INC-1', action: 'act-1', grantor: 'policy x' }, now);
    expect(() => verifyClearance(other, exact, { publicKey, now })).toThrowError(/not signed by this Nightshift/);
  });
});

describe('canonicalSha256', () => {
  it('separates domains, so that one kind of record never passes for another', () => {
    expect(canonicalSha256('approval', { a: 1 })).not.toBe(canonicalSha256('clearance', { a: 1 }));
  });
});
