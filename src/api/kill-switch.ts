import { Router } from 'express';
import type { KillSwitch } from '../gate/index.ts';
import { setKillSwitch, showKillSwitch } from './operations/decisions.ts';
import { clientOf } from './request.ts';
import { serve } from './serve.ts';

/** Makes the routes about the kill switch: anybody may look, and whoever may decide may stop everything or ask for its release. */
export function createKillSwitchRoutes(killSwitch: KillSwitch): Router {
  const router = Router();

  serve(router, showKillSwitch, () => killSwitch.state());

  serve(router, setKillSwitch, async ({ body: { engaged, reason }, by: { name: by }, request }) => {
    const word = { by, via: clientOf(request) };
    if (engaged) await killSwitch.engage({ ...word, reason });
    const answer = engaged ? {} : await killSwitch.release(word);
    return { ...(await killSwitch.state()), ...answer };
  });

  return router;
}
