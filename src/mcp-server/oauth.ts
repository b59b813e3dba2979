import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { type OAuthConfig, ROLES, type Role } from '../config/index.ts';
import { messageOf } from '../errors.ts';
import { type Identity, type Principal, reaches } from '../identity/index.ts';

const TIMEOUT_MS = 5000;
/** An issuer that does not answer is not asked again for each request that comes in meanwhile. */
const RETRY_MS = 10_000;
/** Clocks of two machines differ by a little. */
const SKEW_SECONDS = 5;

const metadataSchema = z.looseObject({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/** Who a token stands for, or why it is refused; `unavailable` where that cannot be told, because the issuer does not answer. */
export type Judged =
  | { readonly principal: Principal }
  | { readonly refused: 'invalid_token' | 'insufficient_scope' | 'unavailable'; readonly why: string };

/** The OAuth 2.1 resource server of `/mcp`. */
export interface ResourceServer {
  /** Judges an access token; keeps nothing of it, and never throws. */
  judge(token: string): Promise<Judged>;
  /** Path of the metadata below the origin of the resource. */
  readonly metadataPath: string;
  readonly metadataUrl: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What a client asks the issuer for; null where roles do not come by scopes. */
  readonly scope: string | null;
}

/**
 * Makes the judge of JWT access tokens of the configured issuer: signed by one of its published keys, not expired, for our audience
 * and no other. A token is worth the best role that its claim names, but never more than the person of `people:` whom it stands for.
 * @see https://datatracker.ietf.org/doc/html/rfc9728 and https://datatracker.ietf.org/doc/html/rfc9068
 */
export async function createResourceServer(
  { issuer, resource, audience = resource, roleClaim, roles }: OAuthConfig,
  identity: Pick<Identity, 'ofIssuer'>,
): Promise<ResourceServer> {
  // Loaded here, because most have no issuer.
  const { createRemoteJWKSet, errors, jwtVerify } = await import('jose');
  /** What it says of the keys and not of the token. */
  const notTheToken = [errors.JWKSTimeout.code, errors.JWKSInvalid.code, errors.JOSEError.code];
  const keys = createKeys(async () => createRemoteJWKSet(await discover(issuer), { timeoutDuration: TIMEOUT_MS }));
  const scopes = roleClaim === 'scope' ? Object.keys(roles) : null;
  const { origin, pathname } = new URL(resource);
  const metadataPath = `/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}`;

  return {
    async judge(token) {
      let claims: JWTPayload;
      try {
        // A published key set holds no secrets, so that neither `none` nor an HMAC made with a public key can pass.
        const options = { issuer, audience, clockTolerance: SKEW_SECONDS, requiredClaims: ['exp', 'sub'] };
        ({ payload: claims } = await jwtVerify(token, keys, options));
      } catch (error) {
        if (!(error instanceof errors.JOSEError) || notTheToken.includes(error.code))
          return { refused: 'unavailable', why: `the issuer's keys cannot be had: ${messageOf(error)}` };
        return { refused: 'invalid_token', why: 'this is no valid access token for this server' };
      }
      const role = roleOf(claims[roleClaim], roles);
      if (role === null)
        return {
          refused: 'insufficient_scope',
          why: `its ${roleClaim} has nothing of ${Object.keys(roles).join(', ')}`,
        };
      const { sub = '', email, email_verified: isVerified } = claims;
      const verifiedEmail = typeof email === 'string' && isVerified === true ? email : null;
      const person = identity.ofIssuer({ subject: sub, verifiedEmail });
      // The issuer may vouch for a whole company; who may look at incidents is what `people:` says.
      if (!person) return { refused: 'insufficient_scope', why: 'it stands for nobody in people:' };
      return { principal: { name: person.name, role: reaches(role, person.role) ? person.role : role } };
    },
    metadataPath,
    metadataUrl: `${origin}${metadataPath}`,
    metadata: {
      resource,
      authorization_servers: [issuer],
      bearer_methods_supported: ['header'],
      resource_name: 'Nightshift',
      ...(scopes ? { scopes_supported: scopes } : {}),
    },
    scope: scopes?.join(' ') ?? null,
  };
}

/** The best role that a claim names: a list of words, or words with spaces between them. */
function roleOf(claim: unknown, roles: Readonly<Record<string, Role>>): Role | null {
  const words = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
  const given = words.flatMap((word) => (typeof word === 'string' && Object.hasOwn(roles, word) ? [roles[word]] : []));
  return ROLES.toReversed().find((role) => given.includes(role)) ?? null;
}

/** Gives the issuer's keys, found through its metadata when the first token comes; jose keeps them and asks again for an unknown one. */
function createKeys(find: () => Promise<JWTVerifyGetKey>): JWTVerifyGetKey {
  let found: { readonly keys: Promise<JWTVerifyGetKey>; readonly at: number; failed: boolean } | null = null;
  return async (header, token) => {
    if (found === null || (found.failed && Date.now() - found.at > RETRY_MS)) {
      const asked = { keys: find(), at: Date.now(), failed: false };
      asked.keys.catch(() => {
        asked.failed = true;
      });
      found = asked;
    }
    return (await found.keys)(header, token);
  };
}

/** Reads where the keys are, from OpenID Connect's metadata or, where there is none, from that of RFC 8414. */
async function discover(issuer: string): Promise<URL> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname === '/' ? '' : pathname.replace(/\/$/, '');
  const problems: string[] = [];
  for (const url of [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ]) {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.ok) {
      const metadata = metadataSchema.parse(await response.json());
      if (metadata.issuer !== issuer) throw new Error(`${url} is of another issuer, ${metadata.issuer}`);
      const { protocol } = new URL(metadata.jwks_uri);
      if (protocol !== 'https:' && protocol !== new URL(issuer).protocol)
        throw new Error('its keys are not behind https');
      return new URL(metadata.jwks_uri);
    }
    await response.body?.cancel();
    problems.push(`${url} answered ${response.status}`);
  }
  throw new Error(problems.join('; '));
}
