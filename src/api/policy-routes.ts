import { Router } from 'express';
import { z } from 'zod';
import type { Config } from '../config/index.ts';
import { actionBudgets, explainCall, type GateDependencies } from '../gate/index.ts';
import type { Gateway } from '../llm/index.ts';
import { showPolicy } from '../policy/index.ts';
import { read } from './request.ts';

const questionSchema = z.strictObject({
  tool: z.string().min(1).max(128),
  arguments: z.record(z.string(), z.unknown()).default({}),
  labels: z.record(z.string().min(1).max(128), z.string().max(1024)).default({}),
});
const QUESTION_FIXES = {
  tool: 'name a tool, for example supervisor.restart',
  arguments: 'write an object of arguments, for example {"process": "checkout"}',
  labels: 'write an object of the alert\'s labels, each a text, for example {"service": "checkout"}',
};

export interface PolicyRoutesDependencies {
  readonly config: Pick<Config, 'mode' | 'autonomy' | 'limits'>;
  readonly gate: GateDependencies;
  readonly models: Pick<Gateway, 'state'>;
}

/** Makes the routes about what may be done: the policy in force, what it would say of a call, and how much of what is limited is used up. */
export function createPolicyRoutes({ config, gate, models }: PolicyRoutesDependencies): Router {
  const router = Router();

  router.get('/policy', async (_request, response) => {
    const limits = Object.fromEntries(Object.entries(config.limits).filter(([, value]) => typeof value === 'number'));
    response.json({ mode: config.mode, autonomy: config.autonomy, ...showPolicy(gate.policy, config.limits), limits });
  });

  // Whoever may look may ask: it changes nothing, and reaches no target.
  router.post('/policy/explain', async (request, response) => {
    const { call, verdict, considered, mode, origin, stopped } = await explainCall(
      read(questionSchema, request.body, QUESTION_FIXES),
      gate,
    );
    response.json({
      ...call,
      ...verdict,
      mode,
      origin,
      stopped,
      alsoConsidered: considered.map(({ rule, says, why }) => ({ rule, why: [says, ...why] })),
    });
  });

  router.get('/budgets', async (_request, response) => {
    const { ceilings, incidentCeilingUsd } = await models.state();
    const day = ceilings.find(({ scope }) => scope === 'day');
    response.json({
      models: {
        dayUsd: { limit: day?.ceilingUsd ?? null, spent: day?.spentUsd ?? 0 },
        incidentUsd: incidentCeilingUsd,
      },
      actions: await actionBudgets(gate.db, { policy: gate.policy, limits: config.limits }),
    });
  });

  return router;
}
