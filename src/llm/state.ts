/** What an operator wants to know of the models at three in the morning. */
import type { ModelRole, SpendingConfig } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { BreakerState } from './breaker.ts';
import type { Endpoint } from './endpoint.ts';
import type { Router } from './route.ts';
import { type Ceiling, ceilingsOf } from './spending.ts';

/** One model as it is now. */
export interface ModelState {
  readonly name: string;
  readonly provider: string;
  readonly model: string;
  readonly host: string;
  readonly tier: string;
  readonly contextTokens: number;
  /** US dollars for a million tokens; `asOf` is the date of the list, null for the operator's own price. */
  readonly price: { input: number; output: number; asOf: string | null; assumed: boolean } | null;
  readonly limits: { requestsPerMinute: number | null; tokensPerMinute: number | null };
  readonly breaker: BreakerState;
  /** Until when its breaker lets no question through; null where it does. */
  readonly openUntil: string | null;
  /** Until when it wants to be left alone; null where it does not. */
  readonly restsUntil: string | null;
  readonly p50Ms: number | null;
  readonly roles: readonly ModelRole[];
}

export interface ModelsState {
  readonly models: readonly ModelState[];
  /** The ceilings of a day, with what was spent today. */
  readonly ceilings: readonly Ceiling[];
  readonly incidentCeilingUsd: number;
}

/** Reads what is known of each model now, and what was spent today. */
export async function stateOf({
  db,
  spending,
  endpoints,
  router,
  roles,
}: {
  db: Database;
  spending: SpendingConfig;
  endpoints: readonly Endpoint[];
  router: Router<Endpoint>;
  roles: readonly ModelRole[];
}): Promise<ModelsState> {
  const limited = [null, ...roles.filter((role) => spending.roleUsd[role] !== undefined)];
  const ceilings = new Map<string, Ceiling>();
  for (const role of limited)
    for (const one of await ceilingsOf(db, spending, { role, incidentId: null })) ceilings.set(one.scope, one);
  const models = endpoints.map((endpoint): ModelState => {
    const { name, config, host, price, budget, breaker, speed, contextTokens } = endpoint;
    const { requestsPerMinute = null, tokensPerMinute = null } = config.limits;
    return {
      ...{ name, provider: config.provider, model: config.model, host, tier: config.tier, contextTokens },
      price: price && { input: price.input, output: price.output, asOf: price.asOf, assumed: price.assumed },
      limits: { requestsPerMinute, tokensPerMinute },
      breaker: breaker.state,
      openUntil: future(breaker.openUntil),
      restsUntil: future(budget.restsUntil),
      p50Ms: speed.p50,
      roles: roles.filter((role) => router.candidates(role).includes(endpoint)),
    };
  });
  return { models, ceilings: [...ceilings.values()], incidentCeilingUsd: spending.incidentUsd };
}

function future(ms: number): string | null {
  return ms > Date.now() ? new Date(ms).toISOString() : null;
}
