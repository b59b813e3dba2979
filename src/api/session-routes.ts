import express, { type Request, type Response, Router } from 'express';
import { z } from 'zod';
import type { ConsoleConfig } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import { type Identity, type Principal, reaches, type Session, type SignedIn } from '../identity/index.ts';
import { plain } from '../incident/index.ts';
import { refuseForeign, sessionCookie, sessionOf } from './authenticate.ts';
import { read } from './request.ts';
import type { SignInLimit } from './sign-in-limit.ts';

const CLIENT_MAX = 120;
const signInSchema = z.strictObject({ token: z.string().trim().min(1).max(200) });

interface SignIn {
  readonly identity: Identity;
  readonly config: ConsoleConfig;
  readonly limit: SignInLimit;
}

/** Opens a session for whoever proved who they are, hands its cookie out, and ends the one that this browser had. */
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

  router.get('/session/options', (_request, response) => {
    response.json({ oidc: config.oidc ? { name: config.oidc.name } : null, token: true });
  });

  router.post('/session', express.json({ limit: '4kb' }), async (request, response) => {
    // A page of others must not sign anybody in under another's name; what is no browser says nothing of where it comes from.
    const { origin, 'sec-fetch-site': site } = request.headers;
    if (origin !== undefined || site !== undefined) refuseForeign(request, config);
    const { token } = read(signInSchema, request.body);
    const address = `address ${request.socket.remoteAddress}`;
    limit.check(address);
    const principal = await identity.ofToken(token);
    if (!principal) {
      limit.count(address);
      const fix = 'use a personal token; an administrator makes one with: nightshift tokens create NAME';
      throw new NightshiftError('unauthorized', `token: not a token of this Nightshift. Fix: ${fix}`, {
        problems: [{ field: 'token', message: 'not a token of this Nightshift', fix }],
      });
    }
    const { session } = await signIn(request, response, principal, { name: principal.token ?? '', secret: token });
    response.set('cache-control', 'no-store').json(showSession(session));
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

  router.get('/session', (_request, response) => {
    response.set('cache-control', 'no-store').json(showSession(sessionOf(response)));
  });

  router.delete('/session', async (request, response) => {
    const { id, person } = sessionOf(response);
    await identity.endSession({ id, by: person, of: person });
    cookie.clear(request, response);
    response.status(204).end();
  });

  router.get('/sessions', async (_request, response) => {
    const own = (response.locals.session as Session | undefined)?.id;
    const sessions = await identity.listSessions(ofWhom(response).of);
    response.json({
      sessions: sessions.map((one) => ({
        ...showSession(one),
        lastSeenAt: one.lastSeenAt,
        client: one.client,
        current: one.id === own,
      })),
    });
  });

  router.delete('/sessions/:id', async (request, response) => {
    await identity.endSession({ id: request.params.id, ...ofWhom(response) });
    response.status(204).end();
  });

  return router;
}

function showSession({ person, role, via, id, createdAt, expiresAt }: Session): object {
  return { person, role, via, id, createdAt, expiresAt };
}
