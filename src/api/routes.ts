import express, { type NextFunction, type Request, type Response, Router } from 'express';
import { z } from 'zod';
import type { Labels } from '../alert/index.ts';
import { listApprovals } from '../approval/index.ts';
import type { Dumper } from '../backup/index.ts';
import type { Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import type { KillSwitch } from '../gate/index.ts';
import type { Identity } from '../identity/index.ts';
import { countIncidents, eventsAfter, followEvents, listIncidents, STATES } from '../incident/index.ts';
import type { Gateway } from '../llm/index.ts';
import { type Embedder, type RunbookKeeper, rankRunbooks } from '../rag/index.ts';
import { type Grouping, PERSON_DID, type People, type Pressure } from '../remediation/index.ts';
import { createAuditRoutes } from './audit-routes.ts';
import { createBackupRoutes } from './backup-routes.ts';
import { createDoctorRoutes } from './doctor-routes.ts';
import { createGateRoutes } from './gate-routes.ts';
import { createGroupingRoutes } from './grouping-routes.ts';
import { createJudgeRoutes } from './judge-routes.ts';
import { createKillSwitchRoutes } from './kill-switch.ts';
import { createModelRoutes } from './model-routes.ts';
import { allow, clientOf, incidentId, read } from './request.ts';
import { createRunbookRoutes } from './runbook-routes.ts';
import { citeAll, showApprovals, showEvent, showIncident, showIncidentWhole } from './show.ts';
import { createTokenRoutes } from './token-routes.ts';

const BODY_MAX = 64 * 1024;

const listSchema = z.object({
  state: z.enum(STATES).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});
const eventsSchema = z.object({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
  incident: z.string().optional(),
});
const decisionSchema = z.strictObject({
  decision: z.enum(['approve', 'deny']),
  reason: z.string().max(1000).default(''),
  digest: z.string().optional(),
});
const wordSchema = z.strictObject({ word: z.enum(['close', 'ask_again', 'stop']), did: z.enum(PERSON_DID).optional() });
const searchSchema = z.object({
  q: z.string().min(1).max(2000),
  limit: z.coerce.number().int().min(1).max(20).default(5),
  alert: z.string().max(500).optional(),
});

export interface ApiDependencies {
  readonly db: Database;
  readonly services: Services;
  readonly people: People;
  readonly grouping: Grouping;
  readonly identity: Identity;
  readonly killSwitch: KillSwitch;
  readonly embedder: Embedder;
  readonly runbooks: RunbookKeeper;
  readonly models: Pick<Gateway, 'state'>;
  readonly dumper: Dumper;
  /** Where a backup is kept while it is handed out. */
  readonly backupFolder: string;
  readonly killSwitchFile: string;
  readonly pressure: Pick<Pressure, 'state'>;
  /** Facts about this server that do not change while it runs. */
  readonly about: Readonly<Record<string, unknown>>;
}

/** Makes the routes under /api/v1. Every one needs a personal token; whose it is is recorded with whatever is decided. */
export function createApi({
  db,
  services,
  people,
  grouping,
  identity,
  killSwitch,
  embedder,
  runbooks,
  models,
  dumper,
  backupFolder,
  killSwitchFile,
  pressure,
  about,
}: ApiDependencies): Router {
  const router = Router();

  router.use(async (request: Request, response: Response, next: NextFunction) => {
    const secret = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const principal = secret === undefined ? null : await identity.ofToken(secret);
    if (!principal) {
      const message = secret === undefined ? 'no bearer token' : 'not a token of this Nightshift';
      const fix = 'send a personal token; the first one is in the admin.token file of the data directory';
      throw new NightshiftError('unauthorized', `Authorization: ${message}. Fix: ${fix}`, {
        problems: [{ field: 'Authorization', message, fix }],
      });
    }
    response.locals.principal = principal;
    next();
  });
  router.use(express.json({ limit: BODY_MAX }));

  router.get('/status', async (_request, response) => {
    response.json({
      ...about,
      killSwitch: await killSwitch.state(),
      queue: await pressure.state(),
      incidents: await countIncidents(db),
      approvals: (await listApprovals(db, 'pending')).length,
    });
  });

  router.get('/incidents', async (request, response) => {
    const { state, limit } = read(listSchema, request.query);
    const incidents = await listIncidents(db, { limit, ...(state ? { states: [state] } : {}) });
    response.json({ incidents: incidents.map((one) => showIncident(one, services)) });
  });

  router.get('/incidents/:id', async (request, response) => {
    response.json(await showIncidentWhole(db, incidentId(request.params.id), services));
  });

  router.post('/incidents/:id/words', async (request, response) => {
    const principal = allow(response, 'approver');
    const { word, did } = read(wordSchema, request.body);
    const id = incidentId(request.params.id);
    await people.say(id, word, principal.name, did);
    response.status(202).json({ incident: request.params.id, word });
  });

  router.get('/events', async (request, response) => {
    const { after, limit, incident } = read(eventsSchema, request.query);
    const events = await (incident === undefined
      ? followEvents(db, after, limit)
      : eventsAfter(db, incidentId(incident), after, limit));
    response.json({ events: events.map(showEvent) });
  });

  router.get('/approvals', async (_request, response) => {
    response.json({ approvals: await showApprovals(db, await listApprovals(db, 'pending')) });
  });

  router.post('/approvals/:id/decision', async (request, response) => {
    const principal = allow(response, 'approver');
    const { decision, reason, digest } = read(decisionSchema, request.body);
    const decided = await people.decide({
      approvalId: request.params.id,
      decision,
      reason,
      principal: principal.name,
      via: clientOf(request),
      ...(digest === undefined ? {} : { digest }),
    });
    response.json({ approval: request.params.id, status: decided.status });
  });

  router.get('/runbooks/search', async (request, response) => {
    const { q, limit, alert } = read(searchSchema, request.query);
    const labels: Labels = alert === undefined ? {} : { alertname: alert };
    const ranked = citeAll(await rankRunbooks(db, { labels, annotations: { summary: q }, limit, embedder }));
    response.json({ found: ranked.filter(({ fits }) => fits), others: ranked.filter(({ fits }) => !fits) });
  });

  router.use('/runbooks', createRunbookRoutes(db, runbooks));
  router.use('/models', createModelRoutes(models));
  router.use('/tokens', createTokenRoutes(identity));
  router.use('/audit', createAuditRoutes(db));
  router.use('/doctor', createDoctorRoutes(db, killSwitchFile));
  router.use('/backups', createBackupRoutes({ db, dumper, folder: backupFolder }));
  router.use('/kill-switch', createKillSwitchRoutes(killSwitch));
  router.use(createGateRoutes({ db, people }));
  router.use(createGroupingRoutes({ db, grouping }));
  router.use(createJudgeRoutes({ db, people }));

  router.use((request) => {
    throw new NightshiftError('not_found', `there is no ${request.method} ${request.originalUrl}`);
  });
  return router;
}
