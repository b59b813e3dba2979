import { Router } from 'express';
import type { Config } from '../config/index.ts';
import { actionBudgets, explainCall, type GateDependencies } from '../gate/index.ts';
import type { Gateway } from '../llm/index.ts';
import { showPolicy } from '../policy/index.ts';
import { explainPolicy, showBudgets, showPolicyOperation } from './operations/policy.ts';
import { serve } from './serve.ts';

export interface PolicyRoutesDependencies {
  readonly config: Pick<Config, 'mode' | 'autonomy' | 'limits'>;
  readonly gate: GateDependencies;
  readonly models: Pick<Gateway, 'state'>;
}

/** Makes the routes about what may be done: the policy in force, what it would say of a call, and how much of what is limited is used up. */
export function createPolicyRoutes({ config, gate, models }: PolicyRoutesDependencies): Router {
  const router = Router();

  serve(router, showPolicyOperation, async () => {
    const limits = Object.fromEntries(Object.entries(config.limits).filter(([, value]) => typeof value === 'number'));
    return { mode: config.mode, autonomy: config.autonomy, ...showPolicy(gate.policy, config.limits), limits };
  });

  // Whoever may look may ask: it changes nothing, and reaches no target.
  serve(router, explainPolicy, async ({ body }) => {
    const { call, verdict, considered, mode, origin, stopped } = await explainCall(body, gate);
    return {
      ...call,
      ...verdict,
      mode,
      origin,
      stopped,
      alsoConsidered: considered.map(({ rule, says, why }) => ({ rule, why: [says, ...why] })),
    };
  });

  serve(router, showBudgets, async () => {
    const { ceilings, incidentCeilingUsd } = await models.state();
    const day = ceilings.find(({ scope }) => scope === 'day');
    return {
      models: {
        dayUsd: { limit: day?.ceilingUsd ?? null, spent: day?.spentUsd ?? 0 },
        incidentUsd: incidentCeilingUsd,
      },
      actions: await actionBudgets(gate.db, { policy: gate.policy, limits: config.limits }),
    };
  });

  return router;
}
