import { Router } from 'express';
import { z } from 'zod';
import type { Labels } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { incidentName, loadIncident } from '../incident/index.ts';
import { actionsOf } from '../planning/index.ts';
import {
  type Embedder,
  failingRunbooks,
  fileNameFor,
  newRunbook,
  type RunbookKeeper,
  rankRunbooks,
  type Shelf,
  uncoveredAlerts,
} from '../rag/index.ts';
import { allow, incidentId, read } from './request.ts';
import { citeAll } from './show.ts';

const syncSchema = z.strictObject({ fetch: z.boolean().default(true) });
const searchSchema = z.object({
  q: z.string().min(1).max(2000),
  limit: z.coerce.number().int().min(1).max(20).default(5),
  alert: z.string().max(500).optional(),
});
const fileSchema = z.object({
  path: z
    .string()
    .min(1)
    .max(1024)
    .regex(/^[^\0]+$/, 'holds a NUL'),
});
const FILE_FIXES = { path: 'write the path of a runbook as GET /api/v1/runbooks lists it' };
const daysSchema = z.object({ days: z.coerce.number().int().min(1).max(365).default(30) });
const DAYS_FIXES = { days: 'write a whole number of days from 1 to 365' };
const draftSchema = z.strictObject({ incident: z.string() });
const DRAFT_FIXES = { incident: 'name an incident, for example INC-7' };

export interface RunbookRoutesDependencies {
  readonly db: Database;
  readonly runbooks: RunbookKeeper;
  readonly shelf: Shelf;
  readonly embedder: Embedder;
}

/** Makes the routes about runbooks: to read, search and compare them for everybody, to have them read anew and drafted for whoever may decide. */
export function createRunbookRoutes({ db, runbooks, shelf, embedder }: RunbookRoutesDependencies): Router {
  const router = Router();

  router.get('/', async (_request, response) => {
    response.json({ runbooks: await shelf.list() });
  });

  router.get('/file', async (request, response) => {
    const { path } = read(fileSchema, request.query, FILE_FIXES);
    response.json(await shelf.file(path));
  });

  router.get('/search', async (request, response) => {
    const { q, limit, alert } = read(searchSchema, request.query);
    const labels: Labels = alert === undefined ? {} : { alertname: alert };
    const ranked = citeAll(await rankRunbooks(db, { labels, annotations: { summary: q }, limit, embedder }));
    response.json({ found: ranked.filter(({ fits }) => fits), others: ranked.filter(({ fits }) => !fits) });
  });

  router.get('/uncovered', async (request, response) => {
    const { days } = read(daysSchema, request.query, DAYS_FIXES);
    const alerts = await uncoveredAlerts(db, days);
    response.json({ alerts: alerts.map((one) => ({ ...one, incidents: one.incidents.map(incidentName) })) });
  });

  router.get('/failing', async (_request, response) => {
    response.json({ failing: await failingRunbooks(db) });
  });

  router.post('/sync', async (request, response) => {
    allow(response, 'approver');
    response.json(await runbooks.sync(read(syncSchema, request.body)));
  });

  router.post('/draft', async (request, response) => {
    allow(response, 'approver');
    const { incident } = read(draftSchema, request.body, DRAFT_FIXES);
    response.json(await draftFor(db, incidentId(incident)));
  });

  return router;
}

/** Writes a runbook out of what was seen in an incident: what healed it, or else what was done without failing. */
async function draftFor(db: Database, id: number): Promise<{ fileName: string; text: string }> {
  const { labels, context } = await loadIncident(db, id);
  const alertname = labels.alertname ?? '';
  if (alertname === '') {
    const fix = 'name an incident whose alert has a name';
    throw new NightshiftError('invalid_payload', `incident: ${incidentName(id)} has no label alertname. Fix: ${fix}`, {
      problems: [{ field: 'incident', value: incidentName(id), message: 'has no label alertname', fix }],
    });
  }
  const ran = (await actionsOf(db, id)).filter(({ status, undoOf }) => status === 'succeeded' && undoOf === null);
  const healed = ran.filter(({ effect }) => effect === 'healed');
  const steps = (healed.length > 0 ? healed : ran).map(({ tool, arguments: args, reason }) => ({
    tool,
    arguments: args,
    why: reason,
  }));
  const { checks, diagnosis } = context;
  const cause = diagnosis && !diagnosis.inconclusive ? { cause: diagnosis.rootCause } : {};
  const text = newRunbook(alertname, { incident: incidentName(id), labels, steps, checks, ...cause });
  return { fileName: fileNameFor(alertname), text };
}
