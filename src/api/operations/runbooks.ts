/** What can be asked about runbooks. */
import { z } from 'zod';
import {
  draft,
  failingPage,
  foundRunbooks,
  runbookFile,
  runbookPage,
  synced,
  uncoveredPage,
} from '../answers/runbook.ts';
import { cursor, limit, operation } from '../operation.ts';
import { DAYS_FIXES, daysSchema } from '../request.ts';

const read = { method: 'get', tag: 'runbooks', role: 'viewer', scope: 'runbooks:read' } as const;
const write = { method: 'post', tag: 'runbooks', role: 'approver', scope: 'runbooks:write' } as const;

export const listRunbooks = operation({
  ...read,
  id: 'listRunbooks',
  path: '/runbooks',
  summary: 'List runbooks by their path, with how they did',
  query: z.object({ limit: limit(200, 1000), after: cursor }),
  answer: runbookPage,
});

export const showRunbook = operation({
  ...read,
  id: 'showRunbook',
  path: '/runbooks/file',
  summary: 'Show one runbook as it is indexed',
  query: z.object({
    path: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[^\0]+$/, 'holds a NUL'),
  }),
  fixes: { path: 'write the path of a runbook as GET /api/v1/runbooks lists it' },
  errors: ['not_found'],
  answer: runbookFile,
  example: { query: 'path=checkout-down.md' },
});

export const searchRunbooks = operation({
  ...read,
  id: 'searchRunbooks',
  path: '/runbooks/search',
  summary: 'Find the passages that fit a text or an alert',
  query: z.object({
    q: z.string().min(1).max(2000).describe('What is the matter.'),
    limit: limit(5, 20),
    alert: z.string().max(500).optional().describe('The name of the alert.'),
  }),
  answer: foundRunbooks,
  example: { query: 'q=disk+full' },
});

export const listUncovered = operation({
  ...read,
  id: 'listUncoveredAlerts',
  path: '/runbooks/uncovered',
  summary: 'List the alerts of some days that no runbook fits, the most frequent first',
  query: z.object({ days: daysSchema, limit: limit(100, 100), after: cursor }),
  fixes: DAYS_FIXES,
  errors: ['conflict'],
  answer: uncoveredPage,
});

export const listFailing = operation({
  ...read,
  id: 'listFailingRunbooks',
  path: '/runbooks/failing',
  summary: 'List the runbooks that keep failing, the worst first',
  query: z.object({ limit: limit(100, 500), after: cursor }),
  errors: ['conflict'],
  answer: failingPage,
});

export const syncRunbooks = operation({
  ...write,
  id: 'syncRunbooks',
  path: '/runbooks/sync',
  summary: 'Have all runbooks read anew',
  body: z.strictObject({ fetch: z.boolean().default(true).describe('Whether git repositories are fetched first.') }),
  repeat: { because: 'A repeat reads them once more, and finds what there is.' },
  answer: synced,
  example: { body: {} },
});

export const draftRunbook = operation({
  ...write,
  id: 'draftRunbook',
  path: '/runbooks/draft',
  summary: 'Write a runbook out of what was seen in an incident; nothing is kept of it',
  body: z.strictObject({ incident: z.string() }),
  fixes: { incident: 'name an incident, for example INC-7' },
  repeat: { because: 'It changes nothing.' },
  errors: ['not_found'],
  answer: draft,
  example: { body: { incident: 'INC-1' } },
});
