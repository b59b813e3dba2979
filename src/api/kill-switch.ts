import { Router } from 'express';
import { z } from 'zod';
import type { KillSwitch } from '../gate/index.ts';
import { allow, clientOf, read } from './request.ts';

const wordSchema = z.strictObject({ engaged: z.boolean(), reason: z.string().max(1000).default('') });

/** Makes the routes about the kill switch: anybody may look, and whoever may decide may stop everything or ask for its release. */
export function createKillSwitchRoutes(killSwitch: KillSwitch): Router {
  const router = Router();

  router.get('/', async (_request, response) => {
    response.json(await killSwitch.state());
  });

  router.post('/', async (request, response) => {
    const { name: by } = allow(response, 'approver');
    const { engaged, reason } = read(wordSchema, request.body);
    const word = { by, via: clientOf(request) };
    if (engaged) await killSwitch.engage({ ...word, reason });
    const answer = engaged ? {} : await killSwitch.release(word);
    response.json({ ...(await killSwitch.state()), ...answer });
  });

  return router;
}
