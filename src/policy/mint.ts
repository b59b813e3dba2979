import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import {
  type Call,
  type Clearance,
  canonicalBytes,
  canonicalSha256,
  type SignedClearance,
} from '../mcp-tools/index.ts';

/** Less than a worker's lease: who has lost that cannot send any more. */
const CLEARANCE_SECONDS = 8;

export interface Mint {
  /** PEM of the public half, which every toolset process gets. */
  readonly publicKey: string;
  /** Signs a clearance for exactly one call; start the toolset's process before, since it takes none older than itself. */
  clear(call: Call, of: { incident: string; action: string; grantor: string }, now: Date): SignedClearance;
}

/** Makes the one holder of the signing key; the key lives in this process's memory only, and so do its toolsets. */
export function createMint(): Mint {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    clear(call, { incident, action, grantor }, now) {
      const clearance: Clearance = {
        v: 1,
        incident,
        action,
        instance: call.instance,
        tool: call.tool,
        argumentsSha256: canonicalSha256('arguments', call.arguments),
        grantor,
        issuedAt: now.toISOString(),
        expiresAt: new Date(now.getTime() + CLEARANCE_SECONDS * 1000).toISOString(),
        nonce: randomBytes(16).toString('hex'),
      };
      return {
        clearance,
        signature: sign(null, canonicalBytes('clearance', clearance), privateKey).toString('base64'),
      };
    },
  };
}
