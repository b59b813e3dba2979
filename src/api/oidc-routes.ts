import { type NextFunction, type Request, type Response, Router } from 'express';
import type { ConsoleConfig, OidcConfig } from '../config/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { createOidc, type Identity, SIGN_IN_SECONDS } from '../identity/index.ts';
import { plain } from '../incident/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { createCookie, isSecure } from './cookie.ts';
import { toKnown } from './problem.ts';
import { createSignIn } from './session-routes.ts';
import { createSignInLimit } from './sign-in-limit.ts';

const TO_MAX = 1000;
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

export interface OidcRoutes {
  readonly identity: Identity;
  readonly config: ConsoleConfig & { readonly oidc: OidcConfig };
  /** A secret that all replicas share. */
  readonly key: Buffer;
  /** Hosts, with their ports, under which this server is asked. */
  readonly hosts: () => readonly string[];
  readonly log: Logger;
}

/** Makes the two addresses below /auth/oidc that a browser goes by to the issuer and back; what goes wrong is told on a plain page. */
export async function createOidcRoutes({ identity, config, key, hosts, log }: OidcRoutes): Promise<Router> {
  const { publicUrl } = config;
  const oidc = await createOidc(config.oidc, { identity, key });
  const limit = createSignInLimit();
  const signIn = createSignIn({ identity, config, limit });
  const cookie = createCookie('nightshift_sign_in', { sameSite: 'lax', publicUrl });
  const router = Router();
  router.use((_request, response, next) => {
    response.set(HEADERS);
    next();
  });

  /** Where the issuer sends the browser back to: never anywhere that only the request itself names. */
  const callbackOf = (request: Request): string => {
    const host = request.headers.host?.toLowerCase() ?? '';
    if (publicUrl === undefined && !hosts().some((name) => name.toLowerCase() === host)) {
      const fix = 'set console.publicUrl to where people reach this server';
      throw new NightshiftError('forbidden', `${plain(host)} is not known to be this server's name. Fix: ${fix}`);
    }
    const origin = publicUrl ?? `${isSecure(request, publicUrl) ? 'https' : 'http'}://${host}`;
    return `${origin}/auth/oidc/callback`;
  };

  router.get('/start', async (request, response) => {
    const to = pathOf(request.query.to);
    const { url, pending } = await oidc.begin({ redirectUri: callbackOf(request), to });
    cookie.set(request, response, pending, SIGN_IN_SECONDS);
    response.redirect(302, url);
  });

  router.get('/callback', async (request, response) => {
    const pending = cookie.read(request);
    cookie.clear(request, response);
    const url = new URL(callbackOf(request));
    url.search = new URL(request.originalUrl, url).search;
    // Each try is a question to the issuer with our secret, and codes can be invented.
    const address = `address ${request.socket.remoteAddress}`;
    limit.check(address);
    const { principal, to } = await oidc.finish({ url, pending }).catch((error: unknown) => {
      if (pending !== null) limit.count(address);
      throw error;
    });
    await signIn(request, response, principal, null);
    response.redirect(302, to);
  });

  router.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error);
    const known = toKnown(error);
    if (known.status >= 500) log.error({ error: known, cause: messageOf(known.cause) }, 'nobody could be signed in');
    else log.info({ error: known }, 'somebody was not signed in');
    response.status(known.status).type('html').send(renderRefusal(known.message));
  });
  return router;
}

/** Gives a path of ours: with one slash at its beginning, and nothing that a browser could read as another host's. */
function pathOf(to: unknown): string {
  const isPath = typeof to === 'string' && to.length <= TO_MAX && /^\/(?!\/)[\x21-\x5b\x5d-\x7e]*$/.test(to);
  return isPath ? to : '/';
}

function renderRefusal(message: string): string {
  const [why = '', fix] = message.split(/\. Fix: /).map((part) => escapeHtml(plain(part)));
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="dark light">
    <title>Not signed in · Nightshift</title>
  </head>
  <body>
    <main>
      <h1>Not signed in</h1>
      <p>${why}.</p>
      ${fix === undefined ? '' : `<p><strong>What to do:</strong> ${fix}.</p>`}
      <p><a href="/">Back to Nightshift</a></p>
    </main>
  </body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
