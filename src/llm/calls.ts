import type { Database } from '../database/index.ts';

/** More of one incident are only counted. */
const CALLS_MAX = 200;

/** One question to a model about an incident, as it was sent, and what came back. */
export interface ModelCall {
  readonly id: number;
  readonly at: Date;
  readonly role: string;
  /** As the configuration calls it. */
  readonly model: string;
  readonly outcome: string;
  readonly error: string | null;
  readonly degraded: string | null;
  /** Null where the provider did not say. */
  readonly inputTokens: number | null;
  readonly cachedTokens: number | null;
  readonly outputTokens: number | null;
  /** In US dollars; null where nobody knows a price. */
  readonly costUsd: number | null;
  readonly latencyMs: number;
  /** NAME@VERSION of each prompt file. */
  readonly prompts: readonly string[];
  readonly request: unknown;
  readonly answer: unknown;
}

/** Reads what models were asked about an incident, oldest first and at most the first 200; `leftOut` counts the others. Secrets were taken out when they were kept. */
export async function modelCallsOf(db: Database, incidentId: number): Promise<{ calls: ModelCall[]; leftOut: number }> {
  const ofIncident = db.q.selectFrom('model_call').where('incident_id', '=', incidentId);
  const rows = await ofIncident.selectAll().orderBy('id').limit(CALLS_MAX).execute();
  const { n } = await ofIncident.select(({ fn }) => fn.countAll<number>().as('n')).executeTakeFirstOrThrow();
  const calls = rows.map(
    (row): ModelCall => ({
      id: row.id,
      at: row.at,
      role: row.role,
      model: row.model,
      outcome: row.outcome,
      error: row.error,
      degraded: row.degraded,
      inputTokens: row.input_tokens,
      cachedTokens: row.cached_tokens,
      outputTokens: row.output_tokens,
      costUsd: row.cost_usd === null ? null : Number(row.cost_usd),
      latencyMs: row.latency_ms,
      prompts: (row.prompts as { prompt: string }[]).map(({ prompt }) => prompt),
      request: row.request,
      answer: row.answer,
    }),
  );
  return { calls, leftOut: Number(n) - calls.length };
}
