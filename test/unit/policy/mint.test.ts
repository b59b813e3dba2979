import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Call, canonicalBytes, canonicalSha256 } from '../../../src/mcp-tools/index.ts';
import { createMint } from '../../../src/policy/mint.ts';

const call: Call = {
  instance: 'shop',
  tool: 'host.purge',
  arguments: { directory: 'spool' },
  target: 'shop:directory spool',
  risk: 'destructive',
  undo: 'nothing brings the files back',
  timeoutSeconds: 120,
  definitionSha256: 'd',
  toolSha256: 't',
};
const of = { incident: 'INC-7', action: 'act-3', grantor: 'ada, grace' };
const now = new Date('2026-11-01T10:00:00.250Z');

describe('the mint', () => {
  it('puts into a clearance what it is for, who granted it, and eight seconds', () => {
    const { clearance } = createMint().clear(call, of, now);
    expect(clearance).toEqual({
      v: 1,
      incident: 'INC-7',
      action: 'act-3',
      instance: 'shop',
      tool: 'host.purge',
      argumentsSha256: canonicalSha256('arguments', { directory: 'spool' }),
      toolSha256: 't',
      grantor: 'ada, grace',
      issuedAt: '2026-11-01T10:00:00.250Z',
      expiresAt: '2026-11-01T10:00:08.250Z',
      nonce: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it('makes each clearance another, also for the same call at the same moment', () => {
    const mint = createMint();
    const nonces = new Set(Array.from({ length: 1000 }, () => mint.clear(call, of, now).clearance.nonce));
    expect(nonces.size).toBe(1000);
  });

  it('signs with the key whose public half it shows, a key of its own', () => {
    const [mint, other] = [createMint(), createMint()];
    expect(mint.publicKey).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    expect(createPublicKey(mint.publicKey).asymmetricKeyType).toBe('ed25519');
    expect(other.publicKey).not.toBe(mint.publicKey);
    const { clearance, signature } = mint.clear(call, of, now);
    const isSignedBy = (publicKey: string) =>
      verify(null, canonicalBytes('clearance', clearance), publicKey, Buffer.from(signature, 'base64'));
    expect([isSignedBy(mint.publicKey), isSignedBy(other.publicKey)]).toEqual([true, false]);
    expect(signature).toMatch(/^[A-Za-z0-9+/]{86}==$/);
  });

  it('lets nothing of the private key out', () => {
    expect(Object.keys(createMint()).sort()).toEqual(['clear', 'publicKey']);
    expect(JSON.stringify(createMint())).not.toContain('PRIVATE');
  });
});
