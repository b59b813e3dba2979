import { Router } from 'express';
import type { Gateway } from '../llm/index.ts';

/** Makes the route that shows each model, whether it is asked, and what was spent today. */
export function createModelRoutes(models: Pick<Gateway, 'state'>): Router {
  const router = Router();
  router.get('/', async (_request, response) => {
    response.json(await models.state());
  });
  return router;
}
