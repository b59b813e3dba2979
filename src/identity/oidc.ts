import { hkdfSync } from 'node:crypto';
import type { Configuration } from 'openid-client';
import { z } from 'zod';
import type { OidcConfig } from '../config/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import type { Identity, Principal } from './identity.ts';

const TIMEOUT_SECONDS = 5;
/** An issuer that does not answer is not asked again for each person who tries meanwhile. */
const RETRY_MS = 10_000;
const METADATA_MS = 3_600_000;
/** How long somebody may take at the issuer. */
export const SIGN_IN_SECONDS = 600;
/** What says that an answer is not to what was asked here, is too old, or is not signed by the issuer; everything else is a failure of the issuer. */
const NOT_OURS = ['OAUTH_INVALID_RESPONSE', 'OAUTH_JWT_CLAIM_COMPARISON_FAILED', 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED'];

const pendingSchema = z.object({ state: z.string(), nonce: z.string(), verifier: z.string(), to: z.string() });

/** The way to sign in by the configured issuer: OpenID Connect's code flow with PKCE, state and nonce. */
export interface OidcSignIn {
  /** Gives where the browser goes, and what it must bring back together with the issuer's answer: encrypted, and good for ten minutes. */
  begin(asked: { readonly redirectUri: string; readonly to: string }): Promise<{ url: string; pending: string }>;
  /**
   * Reads the issuer's answer, by whose URL the browser came back, and gives whom it stands for and where they wanted to go.
   * @throws NightshiftError `unauthorized` where it is not the answer to what this browser began, `forbidden` where it stands for nobody
   * in `people:`, `issuer_failed`.
   */
  finish(answer: { readonly url: URL; readonly pending: string | null }): Promise<{ principal: Principal; to: string }>;
}

/**
 * Makes the client of the issuer, whose metadata is fetched when somebody first signs in. `key` is a secret that all replicas share: what
 * one of them began, any may finish.
 * @see https://openid.net/specs/openid-connect-core-1_0.html
 */
export async function createOidc(
  { issuer, clientId, clientSecret, scopes }: OidcConfig,
  { identity, key }: { readonly identity: Pick<Identity, 'ofIssuer'>; readonly key: Buffer },
): Promise<OidcSignIn> {
  // Loaded here, because most have no issuer.
  const [client, { EncryptJWT, jwtDecrypt }] = await Promise.all([import('openid-client'), import('jose')]);
  const sealedBy = new Uint8Array(hkdfSync('sha256', key, '', `nightshift sign-in ${issuer} ${clientId}`, 32));
  const algorithms = { alg: 'dir', enc: 'A256GCM' } as const;

  const [inBody, inHeader] = [client.ClientSecretPost(clientSecret), client.ClientSecretBasic(clientSecret)];
  const configuration = remembered(() =>
    client.discovery(
      new URL(issuer),
      clientId,
      undefined,
      (as, ...request) =>
        (as.token_endpoint_auth_methods_supported ?? []).includes('client_secret_post')
          ? inBody(as, ...request)
          : inHeader(as, ...request),
      {
        timeout: TIMEOUT_SECONDS,
        execute: [
          client.enableNonRepudiationChecks,
          // The configuration takes http for this machine only.
          ...(new URL(issuer).protocol === 'http:' ? [client.allowInsecureRequests] : []),
        ],
      },
    ),
  );

  const failed = (error: unknown): NightshiftError => {
    const { code } = (error ?? {}) as { code?: string };
    if (error instanceof client.AuthorizationResponseError)
      return refused(`the issuer let nobody in: ${error.error_description ?? error.error}`, error);
    if (error instanceof client.ResponseBodyError && error.error === 'invalid_grant')
      return refused('the issuer does not take this code: it was used, has expired, or is not of this sign-in', error);
    if (error instanceof client.ClientError && code !== undefined && NOT_OURS.includes(code))
      return refused(`the issuer's answer is not good for what this browser asked (${messageOf(error)})`, error);
    const fix = 'check issuer, clientId and clientSecret of console.oidc, and whether the issuer answers this server';
    // What exactly went wrong is for the log: addresses and ports within are nobody's who has not signed in.
    return new NightshiftError('issuer_failed', `the issuer ${issuer} failed; the log says how. Fix: ${fix}`, {
      cause: error,
    });
  };

  return {
    async begin({ redirectUri, to }) {
      const [state, nonce, verifier] = [client.randomState(), client.randomNonce(), client.randomPKCECodeVerifier()];
      const url = client.buildAuthorizationUrl(
        await configuration().catch((error: unknown) => Promise.reject(failed(error))),
        {
          ...{ redirect_uri: redirectUri, scope: scopes.join(' '), state, nonce },
          code_challenge: await client.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
        },
      );
      const pending = await new EncryptJWT({ state, nonce, verifier, to })
        .setProtectedHeader(algorithms)
        .setExpirationTime(`${SIGN_IN_SECONDS}s`)
        .encrypt(sealedBy);
      return { url: url.href, pending };
    },

    async finish({ url, pending }) {
      const options = { keyManagementAlgorithms: [algorithms.alg], contentEncryptionAlgorithms: [algorithms.enc] };
      const opened = await jwtDecrypt(pending ?? '', sealedBy, { ...options, requiredClaims: ['exp'] }).catch(
        () => null,
      );
      if (!opened)
        throw refused(
          `this browser began no sign-in that would come back to ${url.origin}, or over ${SIGN_IN_SECONDS / 60} minutes ago`,
        );
      const { state, nonce, verifier, to } = pendingSchema.parse(opened.payload);
      try {
        const issuerOf = await configuration();
        const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier };
        const tokens = await client.authorizationCodeGrant(issuerOf, url, checks);
        const claims = tokens.claims();
        const subject = claims?.sub ?? '';
        const known = identity.ofIssuer({ subject, verifiedEmail: verifiedEmailOf(claims) });
        if (known) return { principal: known, to };
        const isAsked = claims?.email === undefined && issuerOf.serverMetadata().userinfo_endpoint !== undefined;
        const more = isAsked ? await client.fetchUserInfo(issuerOf, tokens.access_token, subject) : claims;
        const principal = identity.ofIssuer({ subject, verifiedEmail: verifiedEmailOf(more) });
        if (!principal) throw nobody(subject, more?.email);
        return { principal, to };
      } catch (error) {
        throw error instanceof NightshiftError ? error : failed(error);
      }
    },
  };
}

function verifiedEmailOf(claims: Readonly<Record<string, unknown>> | undefined): string | null {
  return claims?.email_verified === true && typeof claims.email === 'string' ? claims.email : null;
}

function refused(why: string, cause?: unknown): NightshiftError {
  const fix = 'begin again, and stay in one browser and one tab until you are back';
  return new NightshiftError('unauthorized', `${why}. Fix: ${fix}`, { cause });
}

function nobody(subject: string, email: unknown): NightshiftError {
  const who = typeof email === 'string' ? `${email} (${subject})` : subject;
  const fix = `an administrator gives your entry in people: of nightshift.yaml this line: subject: ${JSON.stringify(subject)}`;
  return new NightshiftError('forbidden', `${who} stands for nobody in people:. Fix: ${fix}`);
}

/** Keeps what was found for an hour, and a failure for ten seconds. */
function remembered(find: () => Promise<Configuration>): () => Promise<Configuration> {
  let found: { readonly at: number; readonly what: Promise<Configuration>; isFailed: boolean } | null = null;
  return () => {
    if (found && Date.now() - found.at < (found.isFailed ? RETRY_MS : METADATA_MS)) return found.what;
    const asked = { at: Date.now(), what: find(), isFailed: false };
    asked.what.catch(() => {
      asked.isFailed = true;
    });
    found = asked;
    return asked.what;
  };
}
