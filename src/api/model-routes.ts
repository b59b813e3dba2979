import { Router } from 'express';
import type { Gateway } from '../llm/index.ts';
import { showModels } from './operations/policy.ts';
import { serve } from './serve.ts';

/** Makes the route that shows each model, whether it is asked, and what was spent today. */
export function createModelRoutes(models: Pick<Gateway, 'state'>): Router {
  const router = Router();
  serve(router, showModels, () => models.state());
  return router;
}
