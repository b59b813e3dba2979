import { Router } from 'express';
import type { AutonomyMode } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { KillSwitch } from '../gate/index.ts';
import { countIncidents } from '../incident/index.ts';
import { failingRunbooks } from '../rag/index.ts';
import type { Pressure } from '../remediation/index.ts';
import { newestSamples, sigmasOf } from '../self-watch/index.ts';
import type { Metrics } from '../telemetry/index.ts';
import { showHealth, showMetrics, showReadiness } from './operations/doors.ts';
import { serve } from './serve.ts';

/** Whether it takes work: not before all of it has started, and not once it stops. */
export type Phase = 'starting' | 'ready' | 'stopping';

export interface HealthDependencies {
  readonly db: Database;
  readonly killSwitch: Pick<KillSwitch, 'state'>;
  readonly pressure: Pick<Pressure, 'state'>;
  readonly metrics: Metrics;
  readonly mode: AutonomyMode;
  /** The names of the models that are configured. */
  readonly models: readonly string[];
  readonly phase: () => Phase;
}

/**
 * Makes the routes for whatever watches the process, which need no token: `/healthz` (it runs), `/readyz` (it takes work and its database
 * answers; 503 while it starts or stops) and `/metrics` in Prometheus's text format.
 */
export function createHealthRoutes(dependencies: HealthDependencies): Router {
  const { db, killSwitch, pressure, metrics, mode, models, phase } = dependencies;
  const router = Router();

  serve(router, showHealth, async () => ({ status: 'ok' }));

  serve(router, showReadiness, async ({ response }) => {
    await db.ping();
    const status = phase();
    response.status(status === 'ready' ? 200 : 503).json({ status, mode, database: db.kind, models });
  });

  serve(router, showMetrics, async ({ response }) => {
    metrics.killSwitch.set((await killSwitch.state()).engaged ? 1 : 0);
    for (const [state, count] of Object.entries(await countIncidents(db))) metrics.incidents.set({ state }, count);
    for (const { kind, waiting, oldestSeconds } of (await pressure.state()).waiting) {
      metrics.waiting.set({ kind }, waiting);
      metrics.waitingOldest.set({ kind }, oldestSeconds);
    }
    await showSamples();
    metrics.runbooksFailing.set((await failingRunbooks(db)).length);
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });

  /** One replica measures, and all show it; what was measured a while ago is not shown. */
  async function showSamples(): Promise<void> {
    const samples = await newestSamples(db);
    for (const gauge of [metrics.sloValue, metrics.sloSigma, metrics.sloDeviating]) gauge.reset();
    for (const sample of samples) {
      const { signal, agent, value, deviates } = sample;
      const sigmas = sigmasOf(sample);
      metrics.sloValue.set({ signal, agent }, value);
      if (sigmas !== null) metrics.sloSigma.set({ signal, agent }, sigmas);
      metrics.sloDeviating.set({ signal, agent }, deviates ? 1 : 0);
    }
  }

  return router;
}
