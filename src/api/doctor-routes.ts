import { Router } from 'express';
import type { Database } from '../database/index.ts';
import { examineDatabase } from '../doctor/index.ts';
import { examine } from './operations/installation.ts';
import { serve } from './serve.ts';

/** Makes the route that lets `nightshift doctor` see the database of a running server, which nobody else can open where it is embedded. */
export function createDoctorRoutes(db: Database, killSwitchFile: string): Router {
  const router = Router();

  serve(router, examine, async () => ({ findings: await examineDatabase(db, { killSwitchFile }) }));

  return router;
}
