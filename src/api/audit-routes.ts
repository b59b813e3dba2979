import { Router } from 'express';
import { z } from 'zod';
import { type AuditReport, listEvents, readHeads, readPage, renderReport, verifyAudit } from '../audit/index.ts';
import type { Database } from '../database/index.ts';
import { allow, incidentId, read, textSchema } from './request.ts';
import { showEvent } from './show.ts';

const pageSchema = z.object({
  after: z
    .string()
    .regex(/^-?\d{1,19}$/, 'write the number of a seal')
    .optional(),
});
const listSchema = z.object({
  after: z.coerce.number().int().min(1).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  incident: z.string().optional(),
  actor: textSchema.optional(),
  type: textSchema.optional(),
});
const LIST_FIXES = {
  after: 'write what `next` of the page before says',
  limit: 'write a whole number from 1 to 500',
  actor: 'write a name, at most 200 characters',
  type: 'write a type of event, for example action.started, or the beginning of types, for example approval.*',
};

export interface AuditRoutesDependencies {
  readonly db: Database;
  /** Where heads are kept outside the database. */
  readonly headFile: string;
}

/**
 * Makes the routes about the audit. Seals and events are handed out as they are stored, so that whoever asks computes the hashes and need not believe
 * us; with any of `limit`, `incident`, `actor` and `type` it lists who did what instead.
 */
export function createAuditRoutes({ db, headFile }: AuditRoutesDependencies): Router {
  const router = Router();
  /** It reads everything there is, so whoever asks meanwhile gets the same. */
  let verifying: Promise<VerifiedAudit> | null = null;

  router.get('/', async (request, response) => {
    if (!['limit', 'incident', 'actor', 'type'].some((name) => request.query[name] !== undefined)) {
      allow(response, 'admin');
      const { after } = read(pageSchema, request.query);
      response.json(await readPage(db, after ?? null));
      return;
    }
    const { after, limit, incident = '', actor = '', type = '' } = read(listSchema, request.query, LIST_FIXES);
    const found = await listEvents(db, {
      ...(after === undefined ? {} : { before: after }),
      ...(incident.trim() === '' ? {} : { incidentId: incidentId(incident) }),
      ...(actor === '' ? {} : { actor }),
      ...(type === '' ? {} : { type }),
      limit: limit + 1,
    });
    const events = found.slice(0, limit).map(showEvent);
    response.json({ events, next: found.length > limit ? events.at(-1)?.id : null });
  });

  router.get('/verify', async (_request, response) => {
    verifying ??= verify(db, headFile).finally(() => {
      verifying = null;
    });
    response.json(await verifying);
  });

  return router;
}

interface VerifiedAudit extends AuditReport {
  readonly whole: boolean;
  /** The same as the command says it. */
  readonly lines: readonly string[];
}

async function verify(db: Database, headFile: string): Promise<VerifiedAudit> {
  const heads = readHeads(headFile);
  const report = await verifyAudit((seal) => readPage(db, seal), heads);
  const lines = renderReport(report, heads, heads.length > 0 ? headFile : null);
  return { ...report, whole: report.problems.length === 0, lines };
}
