import express, { Router } from 'express';
import { z } from 'zod';
import { listApprovals } from '../approval/index.ts';
import { headFileIn } from '../audit/index.ts';
import type { Dumper } from '../backup/index.ts';
import type { Config, ConsoleConfig, Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import type { GateDependencies, KillSwitch } from '../gate/index.ts';
import type { Identity } from '../identity/index.ts';
import { countIncidents, eventsAfter, type Follower, followEvents } from '../incident/index.ts';
import type { Gateway } from '../llm/index.ts';
import type { Look } from '../mcp-tools/index.ts';
import { createShelf, type Embedder, type RunbookKeeper } from '../rag/index.ts';
import type { Grouping, People, Pressure } from '../remediation/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { createAuditRoutes } from './audit-routes.ts';
import { createAuthenticator } from './authenticate.ts';
import { createBackupRoutes } from './backup-routes.ts';
import { type ConfigReloader, createConfigRoutes } from './config-routes.ts';
import { createDoctorRoutes } from './doctor-routes.ts';
import { createGateRoutes } from './gate-routes.ts';
import { createGroupingRoutes } from './grouping-routes.ts';
import { createIncidentRoutes } from './incident-routes.ts';
import { createInsightRoutes } from './insight-routes.ts';
import { createJudgeRoutes } from './judge-routes.ts';
import { createKillSwitchRoutes } from './kill-switch.ts';
import { createModelRoutes } from './model-routes.ts';
import { createNowRoutes } from './now-routes.ts';
import { createPolicyRoutes } from './policy-routes.ts';
import { refusalsFor } from './refusals.ts';
import { allow, clientOf, incidentId, read } from './request.ts';
import { createRunbookRoutes } from './runbook-routes.ts';
import { createSessionRoutes, createSignInRoutes } from './session-routes.ts';
import { showApprovals, showEvent } from './show.ts';
import { createSignInLimit } from './sign-in-limit.ts';
import { createStreamRoutes } from './stream-routes.ts';
import { createTokenRoutes } from './token-routes.ts';

const BODY_MAX = 64 * 1024;

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
  /** How people sign in to the console. */
  readonly signIn: ConsoleConfig;
  readonly pressure: Pick<Pressure, 'state'>;
  readonly follower: Follower;
  readonly config: Config;
  readonly reloader: ConfigReloader;
  /** What judges every action, for whoever wants to know what it would say. */
  readonly gate: GateDependencies;
  readonly look: Look;
  readonly log: Logger;
  /** Facts about this server that do not change while it runs. */
  readonly about: Readonly<Record<string, unknown>>;
}

/** Makes the routes under /api/v1. Every one but those to sign in needs a personal token or a session; whose it is is recorded with whatever is decided. */
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
  signIn,
  pressure,
  follower,
  config,
  reloader,
  gate,
  look,
  log,
  about,
}: ApiDependencies): Router {
  const router = Router();

  const limit = createSignInLimit();
  router.use(createSignInRoutes({ identity, config: signIn, limit }));
  router.use(createAuthenticator(identity, signIn));
  router.use(express.json({ limit: BODY_MAX }));

  router.get('/status', async (_request, response) => {
    response.json({
      ...about,
      config: reloader.state(),
      killSwitch: await killSwitch.state(),
      queue: await pressure.state(),
      incidents: await countIncidents(db),
      approvals: (await listApprovals(db, 'pending')).length,
    });
  });

  router.get('/events', async (request, response) => {
    const { after, limit, incident } = read(eventsSchema, request.query);
    const events = await (incident === undefined
      ? followEvents(db, after, limit)
      : eventsAfter(db, incidentId(incident), after, limit));
    response.json({ events: events.map(showEvent) });
  });

  router.get('/approvals', async (_request, response) => {
    const refused = await refusalsFor(response, { db, people });
    response.json({ approvals: await showApprovals(db, await listApprovals(db, 'pending'), refused) });
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

  router.use('/stream', createStreamRoutes({ follower, log }));
  router.use('/now', createNowRoutes({ db, services, people, mode: config.mode, killSwitch, pressure }));
  router.use('/incidents', createIncidentRoutes({ db, services, people, catalogue: gate.catalogue, look }));
  const { catalogue, pinOf } = gate;
  const shelf = createShelf({ db, folders: config.runbooks, pinOf, catalogue });
  router.use('/runbooks', createRunbookRoutes({ db, runbooks, shelf, embedder }));
  router.use('/config', createConfigRoutes(reloader));
  router.use('/models', createModelRoutes(models));
  router.use('/insights', createInsightRoutes(db));
  router.use(createPolicyRoutes({ config, gate, models }));
  router.use(createSessionRoutes({ identity, config: signIn }));
  router.use('/tokens', createTokenRoutes(identity));
  router.use('/audit', createAuditRoutes({ db, headFile: headFileIn(config.dataDir) }));
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
