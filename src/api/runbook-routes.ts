import { Router } from 'express';
import { z } from 'zod';
import type { Database } from '../database/index.ts';
import { failingRunbooks, type RunbookKeeper } from '../rag/index.ts';
import { allow, read } from './request.ts';

const syncSchema = z.strictObject({ fetch: z.boolean().default(true) });

/** Makes the routes that list failing runbooks, and have all read now: that for whoever may decide, because what is indexed may act. */
export function createRunbookRoutes(db: Database, runbooks: RunbookKeeper): Router {
  const router = Router();

  router.post('/sync', async (request, response) => {
    allow(response, 'approver');
    response.json(await runbooks.sync(read(syncSchema, request.body)));
  });

  router.get('/failing', async (_request, response) => {
    response.json({ failing: await failingRunbooks(db) });
  });

  return router;
}
