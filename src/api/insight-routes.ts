import { Router } from 'express';
import type { Database } from '../database/index.ts';
import { insightsOf } from '../insights/index.ts';
import { showInsights } from './operations/policy.ts';
import { serve } from './serve.ts';
import type { Shared } from './shared.ts';

/** Makes the route that gives figures over some days: how fast incidents were acted on and ended, by whom, and at which cost. */
export function createInsightRoutes(db: Database, shared: Shared): Router {
  const router = Router();
  serve(router, showInsights, ({ query: { days } }) => shared(`insights ${days}`, () => insightsOf(db, days)));
  return router;
}
