/** Who may come in: sessions of the console, and personal tokens. */
import { z } from 'zod';
import { personNameSchema, ROLES } from '../../config/index.ts';
import { SCOPE_NAMES } from '../../identity/index.ts';
import { madeToken, revoked, session, sessionPage, signInOptions, tokenPage } from '../answers/installation.ts';
import { cursor, DONE, json, limit, operation } from '../operation.ts';

const admin = { role: 'admin', scope: 'admin' } as const;
const sessions = { tag: 'sessions', role: 'viewer', scope: null } as const;

export const showSignInOptions = operation({
  ...sessions,
  id: 'showSignInOptions',
  method: 'get',
  path: '/session/options',
  summary: 'Show how people may sign in to the console',
  role: null,
  answer: signInOptions,
});

export const signInOperation = operation({
  ...sessions,
  id: 'signIn',
  method: 'post',
  path: '/session',
  summary: 'Open a session of the console, whose cookie stands for a personal token',
  role: null,
  body: z.strictObject({ token: z.string().trim().min(1).max(200) }),
  repeat: { because: 'A repeat opens another session, and ends the one before in the same browser.' },
  errors: ['unauthorized', 'forbidden', 'too_many_requests'],
  answer: session,
  example: { body: { token: 'nst_…' } },
});

export const showSession = operation({
  ...sessions,
  id: 'showSession',
  method: 'get',
  path: '/session',
  summary: 'Show the session by whose cookie this is asked',
  answer: session,
});

export const signOut = operation({
  ...sessions,
  id: 'signOut',
  method: 'delete',
  path: '/session',
  summary: 'End the session by whose cookie this is asked',
  errors: ['not_found'],
  answer: DONE,
});

export const listSessions = operation({
  ...sessions,
  id: 'listSessions',
  method: 'get',
  path: '/sessions',
  summary: "List sessions of the console, the newest first: one's own, and for administrators everybody's",
  query: z.object({ limit: limit(200, 1000), before: cursor }),
  errors: ['conflict'],
  answer: sessionPage,
});

export const endSession = operation({
  ...sessions,
  id: 'endSession',
  method: 'delete',
  path: '/sessions/{id}',
  summary: "End a session: one's own, and for administrators anybody's",
  params: z.object({ id: z.string() }),
  errors: ['not_found'],
  answer: DONE,
  example: { path: { id: '00c0ffee00c0ffee' } },
});

export const listTokens = operation({
  ...admin,
  id: 'listTokens',
  method: 'get',
  path: '/tokens',
  tag: 'tokens',
  summary: 'List every token that there ever was, the oldest first',
  query: z.object({ limit: limit(500, 1000), after: cursor }),
  errors: ['conflict'],
  answer: tokenPage,
});

export const createToken = operation({
  ...admin,
  id: 'createToken',
  method: 'post',
  path: '/tokens',
  tag: 'tokens',
  summary: 'Make a personal token',
  description: 'A token that is restricted itself makes none that may more, or longer, than it.',
  body: z
    .strictObject({
      name: personNameSchema,
      person: personNameSchema.optional().describe('Whose it is; the name of the token where it is left out.'),
      role: z.enum(ROLES),
      scopes: z
        .array(z.enum(SCOPE_NAMES))
        .min(1)
        .max(SCOPE_NAMES.length)
        .nullable()
        .default(null)
        .describe('What it may of all that its role may; null is everything.'),
      expiresAt: z.iso.datetime({ offset: true }).nullable().default(null).describe('Null is never.'),
    })
    .transform(({ name, person, expiresAt, ...rest }) => ({
      ...rest,
      name,
      person: person ?? name,
      expiresAt: expiresAt === null ? null : new Date(expiresAt),
    })),
  fixes: { scopes: `write some of ${SCOPE_NAMES.join(', ')}`, expiresAt: 'write a time as 2027-01-31T00:00:00Z' },
  repeat: 'keyed',
  errors: ['conflict'],
  answer: json(201, madeToken, 'It is made; its secret is shown this once.'),
  example: { body: { name: 'grafana', role: 'viewer', scopes: ['incidents:read'], expiresAt: '2100-01-01T00:00:00Z' } },
});

export const revokeToken = operation({
  ...admin,
  id: 'revokeToken',
  method: 'post',
  path: '/tokens/{name}/revoke',
  tag: 'tokens',
  summary: 'End a token for good',
  params: z.object({ name: z.string() }),
  repeat: 'keyed',
  errors: ['not_found', 'conflict'],
  answer: revoked,
  example: { path: { name: 'grafana' } },
});
