import { Router } from 'express';
import { z } from 'zod';
import type { Database } from '../database/index.ts';
import { insightsOf } from '../insights/index.ts';
import { read } from './request.ts';

const spanSchema = z.object({ days: z.coerce.number().int().min(1).max(365).default(30) });
const SPAN_FIXES = { days: 'write a whole number of days from 1 to 365' };

/** Makes the route that gives figures over some days: how fast incidents were acted on and ended, by whom, and at which cost. */
export function createInsightRoutes(db: Database): Router {
  const router = Router();

  router.get('/', async (request, response) => {
    response.json(await insightsOf(db, read(spanSchema, request.query, SPAN_FIXES).days));
  });

  return router;
}
