/** An OAuth issuer of others (oidc-provider) on loopback, where people log in at once and tokens are asked for by the whole code flow. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';
import { openBrowser } from './browser.ts';

const CLIENT = 'editor';
/** Never gone to: the code is read from where the issuer would send the browser. */
const REDIRECT = 'https://editor.example/done';

/** A person at the issuer; `sub` is the key that they are kept by. */
export interface Account {
  readonly email?: string;
  readonly email_verified?: boolean;
}

export interface Issuer {
  readonly url: string;
  /** Requests for its keys so far. */
  readonly keyRequests: () => number;
  /** Logs a person in and gives an access token for a resource. */
  token(asked: { sub: string; scope: string; resource: string }): Promise<string>;
  /** Signs claims with the issuer's own key, for tokens that it would not give by itself. */
  sign(claims: JWTPayload): Promise<string>;
  /** The public key as it publishes it. */
  readonly publicJwk: object;
  /** Publishes this key from now on, whichever it signs with; its own again where it is null. */
  publish(jwk: object | null): void;
  stop(): void;
}

/** A program that signs people in by the issuer, and proves itself to it by a secret. */
export interface SignInClient {
  readonly id: string;
  readonly secret: string;
  readonly redirectUris: readonly string[];
  readonly auth?: 'client_secret_post' | 'client_secret_basic';
}

export interface IssuerOptions {
  readonly clients?: readonly SignInClient[];
  /** Whether what it says of people stands in ID tokens, as many issuers have it, or at its userinfo endpoint alone. */
  readonly claimsInIdToken?: boolean;
}

/**
 * Starts an issuer of JWT access tokens (RS256) that knows these people and gives any scope of `scopes` for any resource; it signs in
 * whomever `login_hint` names.
 */
export async function startIssuer(
  accounts: Readonly<Record<string, Account>>,
  scopes: readonly string[],
  { clients = [], claimsInIdToken = false }: IssuerOptions = {},
): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const kid = randomBytes(4).toString('hex');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(url, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' }] },
    clients: [
      { client_id: CLIENT, redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' },
      ...clients.map(({ id, secret, redirectUris, auth = 'client_secret_post' }) => ({
        ...{ client_id: id, client_secret: secret, redirect_uris: [...redirectUris] },
        token_endpoint_auth_method: auth,
      })),
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: !claimsInIdToken,
    cookies: { keys: [randomBytes(16).toString('hex')] },
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub, ...accounts[sub] }) }),
    extraTokenClaims: (_context, token) => ({ ...accounts[(token as { accountId?: string }).accountId ?? ''] }),
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, audience) => ({
          audience,
          scope: scopes.join(' '),
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    // Whoever logs in agrees to everything.
    loadExistingGrant: async ({ oidc }) => {
      const clientId = oidc.client?.clientId ?? '';
      const grant = new oidc.provider.Grant({ clientId, accountId: oidc.session?.accountId ?? '' });
      const { resource, scope = '' } = oidc.params as { resource?: string; scope?: string };
      grant.addOIDCScope(scope);
      if (resource !== undefined) grant.addResourceScope(resource, scope);
      await grant.save();
      return grant;
    },
    ttl: { AccessToken: 300, Session: 60, Grant: 60, Interaction: 60 },
  });
  let keyRequests = 0;
  let published: object | null = null;
  const handle = provider.callback();
  server.on('request', (request, response) => {
    if (request.url === '/jwks') keyRequests += 1;
    if (request.url === '/jwks' && published)
      return void response
        .setHeader('content-type', 'application/jwk-set+json')
        .end(JSON.stringify({ keys: [published] }));
    if (!request.url?.startsWith('/interaction/')) return void handle(request, response);
    void provider
      .interactionDetails(request, response)
      .then(({ params }) =>
        provider.interactionFinished(request, response, { login: { accountId: String(params.login_hint) } }),
      );
  });

  return {
    url,
    keyRequests: () => keyRequests,
    async token({ sub, scope, resource }) {
      const verifier = randomBytes(32).toString('base64url');
      const query = new URLSearchParams({
        ...{ client_id: CLIENT, redirect_uri: REDIRECT, response_type: 'code', scope, resource, login_hint: sub },
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      });
      const code = await followToCode(new URL(`/auth?${query}`, url));
      const grant = { grant_type: 'authorization_code', client_id: CLIENT, redirect_uri: REDIRECT, resource };
      const answer = await fetch(new URL('/token', url), {
        method: 'POST',
        body: new URLSearchParams({ ...grant, code, code_verifier: verifier }),
      });
      const { access_token: token } = (await answer.json()) as { access_token?: string };
      if (token === undefined) throw new Error(`the issuer gave no token: ${answer.status}`);
      return token;
    },
    sign: (claims) => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, typ: 'at+jwt' }).sign(privateKey),
    publicJwk: { ...(await exportJWK(publicKey)), kid },
    publish(jwk) {
      published = jwk;
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Goes as a browser does until the client is given a code. */
async function followToCode(start: URL): Promise<string> {
  const { url } = await openBrowser().go(start, ({ href }) => href.startsWith(REDIRECT));
  const code = url.searchParams.get('code');
  if (code === null) throw new Error(`the issuer refused: ${url.search}`);
  return code;
}
