import express, { Router } from 'express';
import { listApprovals } from '../approval/index.ts';
import { headFileIn } from '../audit/index.ts';
import type { Dumper } from '../backup/index.ts';
import type { Config, ConsoleConfig, Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
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
import { createOnce } from './idempotency.ts';
import { createIncidentRoutes } from './incident-routes.ts';
import { createInsightRoutes } from './insight-routes.ts';
import { createJudgeRoutes } from './judge-routes.ts';
import { createKillSwitchRoutes } from './kill-switch.ts';
import { createModelRoutes } from './model-routes.ts';
import { createNowRoutes } from './now-routes.ts';
import { openApi } from './openapi.ts';
import { decideApproval, listApprovalsOperation } from './operations/decisions.ts';
import { listEventsOperation } from './operations/incidents.ts';
import { showDocument, showStatus } from './operations/installation.ts';
import { cut, pageOf } from './page.ts';
import { createPolicyRoutes } from './policy-routes.ts';
import { refuseUnknown } from './problem.ts';
import { refusalsFor } from './refusals.ts';
import { clientOf, incidentId } from './request.ts';
import { createRunbookRoutes } from './runbook-routes.ts';
import { serve } from './serve.ts';
import { createSessionRoutes, createSignInRoutes } from './session-routes.ts';
import { createShared } from './shared.ts';
import { showApprovals, showEvent } from './show.ts';
import { createSignInLimit } from './sign-in-limit.ts';
import { createStreamRoutes } from './stream-routes.ts';
import { createTokenRoutes } from './token-routes.ts';

const BODY_MAX = 64 * 1024;

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

/** Makes the routes under /api/v1. Every one but the document and those to sign in needs a personal token or a session; whose it is is recorded with whatever is decided. */
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

  router.use((_request, response, next) => {
    response.set({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    next();
  });
  const limit = createSignInLimit();
  serve(router, showDocument, async () => openApi());
  router.use(createSignInRoutes({ identity, config: signIn, limit }));
  router.use(createAuthenticator(identity, signIn));
  router.use(express.json({ limit: BODY_MAX }));

  const shared = createShared();
  const once = createOnce(db);
  router.use((_request, response, next) => {
    response.locals.once = once;
    next();
  });

  serve(router, showStatus, async () => ({
    ...about,
    config: reloader.state(),
    killSwitch: await killSwitch.state(),
    queue: await pressure.state(),
    incidents: await countIncidents(db),
    approvals: (await listApprovals(db, 'pending')).length,
  }));

  serve(router, listEventsOperation, async ({ query: { after, limit, incident } }) => {
    const found = await (incident === undefined
      ? followEvents(db, after, limit + 1)
      : eventsAfter(db, incidentId(incident), after, limit + 1));
    const { items, next } = cut(found.map(showEvent), limit, ({ id }) => String(id));
    return { events: items, next };
  });

  serve(router, listApprovalsOperation, async ({ query: { limit, after: cursor }, by }) => {
    const { items, next } = pageOf(await listApprovals(db, 'pending'), { limit, cursor }, ({ id }) => id);
    return { approvals: await showApprovals(db, items, await refusalsFor(by, { db, people })), next };
  });

  serve(router, decideApproval, async ({ params: { id }, body: { decision, reason, digest }, by, request }) => {
    const decided = await people.decide({
      approvalId: id,
      decision,
      reason,
      principal: by.name,
      via: clientOf(request),
      ...(digest === undefined ? {} : { digest }),
    });
    return { approval: id, status: decided.status };
  });

  router.use(createStreamRoutes({ follower, log }));
  router.use(createNowRoutes({ db, services, people, mode: config.mode, killSwitch, pressure }));
  router.use(createIncidentRoutes({ db, services, people, catalogue: gate.catalogue, look }));
  const { catalogue, pinOf } = gate;
  const shelf = createShelf({ db, folders: config.runbooks, pinOf, catalogue });
  router.use(createRunbookRoutes({ db, runbooks, shelf, embedder, shared }));
  router.use(createConfigRoutes(reloader));
  router.use(createModelRoutes(models));
  router.use(createInsightRoutes(db, shared));
  router.use(createPolicyRoutes({ config, gate, models }));
  router.use(createSessionRoutes({ identity, config: signIn }));
  router.use(createTokenRoutes(identity));
  router.use(createAuditRoutes({ db, headFile: headFileIn(config.dataDir), shared }));
  router.use(createDoctorRoutes(db, killSwitchFile));
  router.use(createBackupRoutes({ db, dumper, folder: backupFolder }));
  router.use(createKillSwitchRoutes(killSwitch));
  router.use(createGateRoutes({ db, people }));
  router.use(createGroupingRoutes({ db, grouping }));
  router.use(createJudgeRoutes({ db, people }));

  router.use(refuseUnknown);
  return router;
}
