import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { ConsoleConfig } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import type { Identity, Session } from '../identity/index.ts';
import { type Cookie, createCookie } from './cookie.ts';
import type { Asker } from './idempotency.ts';

const SAFE = ['GET', 'HEAD', 'OPTIONS'];

/** Makes the cookie that a session of the console is kept in. */
export function sessionCookie({ publicUrl }: Pick<ConsoleConfig, 'publicUrl'>): Cookie {
  return createCookie('nightshift_session', { sameSite: 'strict', publicUrl });
}

/**
 * Makes the check of who asks, by a bearer token or by the cookie of a session; where both came, the bearer token counts. A browser sends the cookie
 * by itself, so whatever may change something must also come from the console's own page.
 */
export function createAuthenticator(
  identity: Pick<Identity, 'ofToken' | 'ofSession'>,
  config: ConsoleConfig,
): RequestHandler {
  const cookie = sessionCookie(config);
  return async (request: Request, response: Response, next: NextFunction) => {
    // What a proxy asks for itself, a password say, comes on to us too.
    const token = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const secret = cookie.read(request);
    if (token === undefined && secret !== null) {
      const signedIn = await identity.ofSession(secret);
      if (!signedIn) throw unauthorized('Cookie', 'this session is over', 'sign in again');
      if (!SAFE.includes(request.method)) refuseForeign(request, config);
      response.locals.principal = signedIn.principal;
      response.locals.session = signedIn.session;
      response.locals.asker = { id: `session ${signedIn.session.id}`, secret } satisfies Asker;
      response.locals.mayStill = async () => (await identity.ofSession(secret)) !== null;
      return next();
    }
    const principal = token === undefined ? null : await identity.ofToken(token);
    if (!principal)
      throw unauthorized(
        'Authorization',
        token === undefined ? 'no bearer token' : 'not a token of this Nightshift',
        'send a personal token; the first one is in the admin.token file of the data directory',
      );
    response.locals.principal = principal;
    response.locals.asker = { id: `token ${principal.token}`, secret: token as string } satisfies Asker;
    response.locals.mayStill = async () => (await identity.ofToken(token as string)) !== null;
    next();
  };
}

/** Looks anew whether who asks may still come in: what was revoked meanwhile may not. @throws whatever the database throws. */
export function mayStill(response: Response): Promise<boolean> {
  return (response.locals.mayStill as () => Promise<boolean>)();
}

/** Gives the session by whose cookie somebody asks. @throws NightshiftError `unauthorized` where it is by a token. */
export function sessionOf(response: Response): Session {
  const session = response.locals.session as Session | undefined;
  if (!session) throw unauthorized('Cookie', 'there is no session', 'sign in');
  return session;
}

/**
 * Refuses a change that does not come from the console's own page: another page can neither add our header without asking this server first,
 * which allows nobody, nor say that it is of our origin.
 * @throws NightshiftError `forbidden`.
 */
export function refuseForeign(request: Request, config: ConsoleConfig): void {
  const isOurHeader = request.headers['x-nightshift-csrf'] === '1';
  if (isOurHeader && isOurs(request, config)) return;
  const fix = isOurHeader
    ? 'open the console under the address that this server is asked by, and set that as console.publicUrl'
    : 'send the header x-nightshift-csrf: 1, or use a personal token instead of a session';
  throw new NightshiftError('forbidden', `this does not come from the console's own page. Fix: ${fix}`);
}

function isOurs({ headers }: Request, { publicUrl }: ConsoleConfig): boolean {
  const { 'sec-fetch-site': site, origin = '', host } = headers;
  // Only the browser can write it, and it knows best: a proxy may have changed the host.
  if (site !== undefined) return site === 'same-origin';
  return URL.canParse(origin) && (origin === publicUrl || new URL(origin).host === host?.toLowerCase());
}

function unauthorized(field: string, message: string, fix: string): NightshiftError {
  return new NightshiftError('unauthorized', `${field}: ${message}. Fix: ${fix}`, {
    problems: [{ field, message, fix }],
  });
}
