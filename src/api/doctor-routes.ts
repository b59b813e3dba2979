import { Router } from 'express';
import type { Database } from '../database/index.ts';
import { examineDatabase } from '../doctor/index.ts';
import { allow } from './request.ts';

/** Makes the route that lets `nightshift doctor` see the database of a running server, which nobody else can open where it is embedded. */
export function createDoctorRoutes(db: Database, killSwitchFile: string): Router {
  const router = Router();

  router.get('/', async (_request, response) => {
    allow(response, 'admin');
    response.json({ findings: await examineDatabase(db, { killSwitchFile }) });
  });

  return router;
}
