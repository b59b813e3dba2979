import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { messageOf, NightshiftError } from '../errors.ts';
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

/**
 * Makes the one holder of the signing key. The key lives in this process's memory only, as its toolsets do; where one of these runs on
 * another host, whose operator must know whom to trust, it is the key that is given.
 */
export function createMint(signingKey?: KeyObject): Mint {
  const privateKey = signingKey ?? generateKeyPairSync('ed25519').privateKey;
  return {
    publicKey: publicKeyOf(privateKey),
    clear(call, { incident, action, grantor }, now) {
      const clearance: Clearance = {
        v: 1,
        incident,
        action,
        instance: call.instance,
        tool: call.tool,
        argumentsSha256: canonicalSha256('arguments', call.arguments),
        toolSha256: call.toolSha256 ?? '',
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

/** Gives the public half of a signing key, as PEM. */
export function publicKeyOf(signingKey: KeyObject): string {
  return createPublicKey(signingKey).export({ type: 'spki', format: 'pem' }).toString();
}

/**
 * Reads the key that clearances are signed with from its file, or makes one there that only its owner can read.
 * @throws NightshiftError `invalid_config` where the file holds no Ed25519 key in PEM, or cannot be read or made.
 */
export function readSigningKey(path: string): KeyObject {
  const invalid = (message: string, cause?: unknown) =>
    new NightshiftError(
      'invalid_config',
      `clearances.keyFile: ${path} ${message}. Fix: take the file away, and a new key is made; then give its public half to every toolset on another host`,
      { cause },
    );
  let key: KeyObject;
  try {
    key = createPrivateKey(readOrMake(path));
  } catch (error) {
    throw invalid(`cannot be used: ${messageOf(error)}`, error);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw invalid('holds no Ed25519 key');
  return key;
}

function readOrMake(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  writeFileSync(path, pem, { mode: 0o600, flag: 'wx' });
  return pem;
}
