import express, { type Request, type Response, Router } from 'express';
import type { ConsoleConfig } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import { type Identity, type Principal, reaches, type Session, type SignedIn } from '../identity/index.ts';
import { plain } from '../incident/index.ts';
import { refuseForeign, sessionCookie, sessionOf } from './authenticate.ts';
import {
  endSession,
  listSessions,
  showSession,
  showSignInOptions,
  signInOperation,
  signOut,
} from './operations/access.ts';
import { pageOf } from './page.ts';
import { serve } from './serve.ts';
import type { SignInLimit } from './sign-in-limit.ts';

const CLIENT_MAX = 120;

interface SignIn {
  readonly identity: Identity;
  readonly config: ConsoleConfig;
  readonly limit: SignInLimit;
}

/**
 * Opens a session for whoever proved who they are, hands its cookie out, and ends the one whose cookie came with this request. On the way back from an issuer
 * none comes, since another site's page began it: a session that was there stands until it expires or is ended in the list of sessions.
 */
export function createSignIn({ identity, config, limit }: SignIn) {
  const cookie = sessionCookie(config);
  return async (
    request: Request,
    response: Response,
    { name, role }: Principal,
    token: { readonly name: string; readonly secret: string } | null,
  ): Promise<SignedIn> => {
    const key = `person ${name.toLowerCase()}`;
    limit.check(key);
    limit.count(key);
    const client = plain(request.headers['user-agent'] ?? 'unknown').slice(0, CLIENT_MAX);
    const old = cookie.read(request);
    const before = old === null ? null : await identity.ofSession(old);
    const opened = await identity.openSession({ person: name, role, token, client, hours: config.sessionHours });
    if (before) {
      const { session } = before;
      await identity.endSession({ id: session.id, by: session.person, of: null }).catch(() => {});
    }
    cookie.set(request, response, opened.secret, config.sessionHours * 3600);
    return opened;
  };
}

/** Makes the routes by which somebody signs in to the console with a personal token; nobody needs to be known for them yet. */
export function createSignInRoutes(dependencies: SignIn): Router {
  const { identity, config, limit } = dependencies;
  const signIn = createSignIn(dependencies);
  const router = Router();

  serve(router, showSignInOptions, async () => ({
    oidc: config.oidc ? { name: config.oidc.name } : null,
    token: true,
  }));

  router.use('/session', express.json({ limit: '4kb' }));
  serve(router, signInOperation, async ({ body: { token }, request, response }) => {
    // A page of others must not sign anybody in under another's name; what is no browser says nothing of where it comes from.
    const { origin, 'sec-fetch-site': site } = request.headers;
    if (origin !== undefined || site !== undefined) refuseForeign(request, config);
    const principal = await identity.ofToken(token);
    if (!principal) {
      // Behind a proxy all come from one address, so nobody with a right one is made to wait.
      const address = `address ${request.socket.remoteAddress}`;
      limit.check(address);
      limit.count(address);
      const fix = 'use a personal token; an administrator makes one with: nightshift tokens create NAME';
      throw new NightshiftError('unauthorized', `token: not a token of this Nightshift. Fix: ${fix}`, {
        problems: [{ field: 'token', message: 'not a token of this Nightshift', fix }],
      });
    }
    const { session } = await signIn(request, response, principal, { name: principal.token ?? '', secret: token });
    return show(session);
  });

  return router;
}

/** Makes the routes about sessions of the console: one's own, and for administrators everybody's. */
export function createSessionRoutes({ identity, config }: Pick<SignIn, 'identity' | 'config'>): Router {
  const cookie = sessionCookie(config);
  const router = Router();
  const ofWhom = ({ locals }: Response) => {
    const { name, role } = locals.principal as Principal;
    return { by: name, of: reaches(role, 'admin') ? null : name };
  };

  serve(router, showSession, async ({ response }) => show(sessionOf(response)));

  serve(router, signOut, async ({ request, response }) => {
    const { id, person } = sessionOf(response);
    await identity.endSession({ id, by: person, of: person });
    cookie.clear(request, response);
  });

  serve(router, listSessions, async ({ query: { limit, before: cursor }, response }) => {
    const own = (response.locals.session as Session | undefined)?.id;
    const sessions = await identity.listSessions(ofWhom(response).of);
    const { items, next } = pageOf(sessions, { limit, cursor }, ({ id }) => id);
    return {
      sessions: items.map((one) => ({
        ...show(one),
        lastSeenAt: one.lastSeenAt,
        client: one.client,
        current: one.id === own,
      })),
      next,
    };
  });

  serve(router, endSession, async ({ params: { id }, response }) => {
    await identity.endSession({ id, ...ofWhom(response) });
  });

  return router;
}

function show({ person, role, via, id, createdAt, expiresAt }: Session): object {
  return { person, role, via, id, createdAt, expiresAt };
}
