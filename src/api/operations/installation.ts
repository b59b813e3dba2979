/** What can be asked about who may come in, how it goes and what was done. */
import { z } from 'zod';
import { anything } from '../answers/component.ts';
import { eventPage } from '../answers/incident.ts';
import { auditReport, findings, now, reloaded, sealedPage, status } from '../answers/installation.ts';
import { json, limit, operation, text } from '../operation.ts';
import { textSchema } from '../request.ts';

const seen = { method: 'get', tag: 'now', role: 'viewer' } as const;
const admin = { role: 'admin', scope: 'admin' } as const;

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
      .regex(/^\d{1,18}$/, 'write the number of a seal')
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
