/** What can be asked about who may come in, how it goes and what was done. */
import { z } from 'zod';
import { personNameSchema, ROLES } from '../../config/index.ts';
import { SCOPE_NAMES } from '../../identity/index.ts';
import { anything } from '../answers/component.ts';
import { eventPage } from '../answers/incident.ts';
import {
  auditReport,
  findings,
  madeToken,
  now,
  reloaded,
  revoked,
  sealedPage,
  session,
  sessionPage,
  signInOptions,
  status,
  tokenPage,
} from '../answers/installation.ts';
import { cursor, DONE, json, limit, operation, text } from '../operation.ts';
import { textSchema } from '../request.ts';

const seen = { method: 'get', tag: 'now', role: 'viewer' } as const;
const admin = { role: 'admin', scope: 'admin' } as const;
const sessions = { tag: 'sessions', role: 'viewer', scope: null } as const;

export const showDocument = operation({
  id: 'showDocument',
  method: 'get',
  path: '/openapi.json',
  tag: 'now',
  summary: 'Show this API as an OpenAPI 3.1 document',
  role: null,
  scope: null,
  answer: json(200, anything, 'The document.'),
});

export const showStatus = operation({
  ...seen,
  id: 'showStatus',
  path: '/status',
  summary: 'Show how this server is set up, and how much there is to do',
  scope: null,
  answer: status,
});

export const reloadConfig = operation({
  ...admin,
  id: 'reloadConfig',
  method: 'post',
  path: '/config/reload',
  tag: 'installation',
  summary: 'Read policies and services again, without a restart',
  description: 'Where anything in them is wrong, nothing changes, and the answer names every mistake.',
  repeat: { because: 'A repeat reads the files once more.' },
  errors: ['conflict'],
  answer: reloaded,
});

export const showNow = operation({
  ...seen,
  id: 'showNow',
  path: '/now',
  summary: 'Show what burns, what waits for people, and what is over since yesterday',
  scope: 'incidents:read',
  answer: now,
});

export const openStream = operation({
  ...seen,
  id: 'openStream',
  path: '/stream',
  summary: 'Be told of every change as it happens',
  description:
    'Server-sent events: `hello` first, then a `change` with `id`, `incident`, `type` and `at` for each event. After a break, send `Last-Event-ID`. A stream ends after 15 minutes, and with its token or session.',
  scope: 'incidents:read',
  errors: ['busy'],
  answer: text('text/event-stream', 'Until it is over.'),
});

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

export const listAuditEvents = operation({
  id: 'listAuditEvents',
  method: 'get',
  path: '/audit',
  tag: 'audit',
  summary: 'List who did what, the newest first',
  role: 'viewer',
  scope: 'audit:read',
  query: z.object({
    limit: limit(100, 500),
    before: z.coerce.number().int().min(1).optional().describe('What `next` of the page before says.'),
    incident: z.string().optional().describe('Only what is about this incident.'),
    actor: textSchema.optional().describe('Only what this one did.'),
    type: textSchema.optional().describe('Only events of this type, or of types that begin so: approval.*'),
  }),
  fixes: {
    before: 'write what `next` of the page before says',
    limit: 'write a whole number from 1 to 500',
    actor: 'write a name, at most 200 characters',
    type: 'write a type of event, for example action.started, or the beginning of types, for example approval.*',
  },
  answer: eventPage,
  example: { query: 'type=approval.*&limit=20' },
});

export const listSeals = operation({
  id: 'listSeals',
  method: 'get',
  path: '/audit/seals',
  tag: 'audit',
  summary: 'Hand out seals with their events as they are stored, so that whoever asks computes the hashes themselves',
  description: 'At most 50 seals; past the last of them, at most 1,000 events that none covers yet.',
  role: 'admin',
  scope: 'audit:read',
  query: z.object({
    after: z
      .string()
      .regex(/^-?\d{1,19}$/, 'write the number of a seal')
      .optional()
      .describe('What `next` of the page before says.'),
  }),
  answer: sealedPage,
});

export const verifyAuditOperation = operation({
  id: 'verifyAudit',
  method: 'get',
  path: '/audit/verify',
  tag: 'audit',
  summary: 'Verify the whole audit',
  role: 'viewer',
  scope: 'audit:read',
  answer: auditReport,
});

export const examine = operation({
  ...admin,
  id: 'examine',
  method: 'get',
  path: '/doctor',
  tag: 'installation',
  summary: 'Examine the database of this server',
  answer: findings,
});

export const takeBackup = operation({
  id: 'takeBackup',
  method: 'post',
  path: '/backups',
  tag: 'installation',
  summary: 'Take a backup, without the files of the data directory',
  role: 'admin',
  scope: 'backups:read',
  repeat: { because: 'A repeat takes another backup.' },
  answer: text('application/gzip', 'The backup.'),
});
