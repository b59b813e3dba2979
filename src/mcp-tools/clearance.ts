import { createHash, type KeyObject, verify } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { NightshiftError } from '../errors.ts';

/** The key under which a clearance travels in an MCP request's `_meta`. */
export const CLEARANCE_META = 'nightshift/clearance';

const clearanceSchema = z.strictObject({
  v: z.literal(1),
  incident: z.string(),
  action: z.string(),
  instance: z.string(),
  tool: z.string(),
  argumentsSha256: z.string(),
  /** What the tool is declared to do: the other side may have been given another manifest, or be of another version. */
  toolSha256: z.string(),
  /** The policy rule or the people that allowed it. */
  grantor: z.string(),
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  nonce: z.string(),
});
export type Clearance = z.infer<typeof clearanceSchema>;

/** A clearance with its Ed25519 signature in base64: plain JSON, so that it can be stored and sent. */
export const signedClearanceSchema = z.strictObject({ clearance: clearanceSchema, signature: z.base64() });
export type SignedClearance = z.infer<typeof signedClearanceSchema>;

/**
 * Gives the bytes that stand for a value, the same for equal values whatever the order of their keys, under a domain tag.
 * @see https://www.rfc-editor.org/rfc/rfc8785
 */
export function canonicalBytes(domain: string, value: unknown): Buffer {
  return Buffer.from(`nightshift/${domain}/v1\n${canonicalize(value)}`);
}

/** Gives the SHA-256 of a value's canonical bytes, in hexadecimal. */
export function canonicalSha256(domain: string, value: unknown): string {
  return createHash('sha256').update(canonicalBytes(domain, value)).digest('hex');
}

interface Verifier {
  readonly publicKey: KeyObject;
  readonly now: Date;
  /** When whoever verifies began to remember which clearances were used: what was issued before may have been used before. */
  readonly since: Date;
  /** How far the clock of whoever signed it may be ahead: by so much it may have been issued, and used, before it says. */
  readonly clockSkewSeconds?: number;
}

/**
 * Verifies a clearance for exactly this call and gives it back.
 * @throws NightshiftError `tool_refused` when it is missing, forged, issued before `since` and the skew or, but for that, after `now`, expired,
 *   or for any other instance, tool, declaration of it or arguments.
 */
export function verifyClearance(
  signed: unknown,
  call: { instance: string; tool: string; toolSha256: string; arguments: unknown },
  { publicKey, now, since, clockSkewSeconds = 0 }: Verifier,
): Clearance {
  const parsed = signedClearanceSchema.safeParse(signed);
  if (!parsed.success) throw refused(call.tool, 'it came without a clearance');
  const { clearance, signature } = parsed.data;
  const genuine = verify(null, canonicalBytes('clearance', clearance), publicKey, Buffer.from(signature, 'base64'));
  if (!genuine) throw refused(call.tool, 'its clearance is not signed by this Nightshift');
  if (clearance.instance !== call.instance || clearance.tool !== call.tool)
    throw refused(call.tool, 'its clearance is for another tool');
  if (clearance.argumentsSha256 !== canonicalSha256('arguments', call.arguments))
    throw refused(call.tool, 'its clearance is for other arguments');
  if (clearance.toolSha256 !== call.toolSha256)
    throw refused(
      call.tool,
      'it is declared otherwise here than where it was cleared; both sides need the same version and the same manifests',
    );
  const [issuedAt, expiresAt] = [new Date(clearance.issuedAt), new Date(clearance.expiresAt)];
  if (expiresAt <= now) throw refused(call.tool, 'its clearance has expired');
  const skewMs = clockSkewSeconds * 1000;
  if (issuedAt.getTime() > now.getTime() + skewMs) throw refused(call.tool, 'its clearance is from the future');
  if (issuedAt.getTime() < since.getTime() + skewMs)
    throw refused(call.tool, 'its clearance is older than its toolset process');
  return clearance;
}

function refused(tool: string, why: string): NightshiftError {
  return new NightshiftError('tool_refused', `${tool} did not run: ${why}`);
}
