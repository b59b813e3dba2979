/** Keeps every question that was sent, with what came of it and what it cost, and finds an answer that was given before. */
import { sql } from 'kysely';
import { z } from 'zod';
import { type Database, json } from '../database/index.ts';
import { redactValueForModel } from '../telemetry/index.ts';
import { usable } from './answer.ts';
import { ModelFailure } from './failure.ts';
import type { Degraded, ModelRequest } from './model.ts';
import type { Price } from './prices.ts';
import type { Question, Reply } from './provider.ts';
import { scopesOf, TODAY } from './spending.ts';

/** An older answer says too little about now. */
const STORED_HOURS = 24;

const storedSchema = z.object({
  text: z.string(),
  toolCalls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.unknown() })),
  stopReason: z.enum(['end', 'tool_calls', 'length', 'refusal', 'other']),
});

/** How one question to one model ended. */
export interface Attempt {
  readonly model: string;
  readonly outcome: string;
  readonly error: string | null;
  readonly degraded: Degraded | null;
  /** Null where nothing came back that could be read. */
  readonly reply: Reply | null;
  readonly costUsd: number | null;
  readonly price: Price | null;
  readonly latencyMs: number;
}

/**
 * Records an attempt and adds it to the counters that ceilings go by, in one statement. It fails when the database is away, and so does
 * the call: nothing may be spent that no ceiling knows of, and whoever asked could not keep the answer either.
 */
export async function recordAttempt(db: Database, question: Question, attempt: Attempt): Promise<void> {
  const { incidentId, role, prompts } = question.request;
  const { reply, costUsd, price } = attempt;
  const usage = reply && reply.usage.inputTokens + reply.usage.outputTokens > 0 ? reply.usage : null;
  const named = prompts.map(({ name, version, sha256 }) => ({ prompt: `${name}@${version}`, sha256 }));
  const tokens = (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0);
  // Written out: putting it together anew for each call takes as long as running it.
  await sql`
    with call as (
      insert into model_call (incident_id, role, model, prompts, prompt_sha256, question_sha256, outcome, error, degraded,
        input_tokens, cached_tokens, output_tokens, cost_usd, price_date, latency_ms, request, answer)
      values (${incidentId}, ${role}, ${attempt.model}, ${json(named)}, ${question.systemSha256}, ${question.sha256},
        ${attempt.outcome}, ${attempt.error}, ${attempt.degraded}, ${usage?.inputTokens ?? null},
        ${usage?.cachedInputTokens ?? null}, ${usage?.outputTokens ?? null}, ${costUsd}, ${price?.asOf ?? null},
        ${Math.round(attempt.latencyMs)}, ${json(sentOf(question))}, ${reply === null ? null : json(answerOf(reply))})
    )
    insert into model_spending as spent (scope, day, usd, tokens, calls)
    values ${sql.join(scopesOf(question.request).map((scope) => sql`(${scope}, ${TODAY}, ${costUsd ?? 0}, ${tokens}, 1)`))}
    on conflict (scope, day) do update
      set usd = spent.usd + excluded.usd, tokens = spent.tokens + excluded.tokens, calls = spent.calls + excluded.calls
  `.execute(db.q);
}

/** Gives the last answer of the last 24 hours to the identical question and the model that gave it, or null where there is none that can be used. */
export async function storedAnswer(
  db: Database,
  question: Question,
  not: readonly string[],
): Promise<{ model: string; reply: Reply; json: unknown } | null> {
  const row = await db.q
    .selectFrom('model_call')
    .select(['model', 'answer'])
    .where('question_sha256', '=', question.sha256)
    .where('outcome', '=', 'ok')
    .where('answer', 'is not', null)
    .where('at', '>', sql<Date>`clock_timestamp() - make_interval(hours => ${STORED_HOURS})`)
    .$if(not.length > 0, (q) => q.where('model', 'not in', [...not]))
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  const parsed = storedSchema.safeParse(row?.answer);
  if (!row || !parsed.success) return null;
  const usage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 };
  const reply = { ...parsed.data, usage };
  try {
    return { model: row.model, reply, json: usable(reply, question) };
  } catch (error) {
    // It was kept without secrets and cut where it was very long, so it may not be what it was.
    if (error instanceof ModelFailure) return null;
    throw error;
  }
}

/** What was sent, in our words; the turns in a provider's own form, which may be long and signed, are left out. */
function sentOf({ request, system, output }: Question) {
  const { messages, tools, toolChoice, maxTokens } = request;
  return {
    system,
    messages: messages.map((message: ModelRequest['messages'][number]) => ({ ...message, original: undefined })),
    ...(tools ? { tools } : {}),
    ...(toolChoice ? { toolChoice } : {}),
    ...(output ? { output } : {}),
    maxTokens,
  };
}

function answerOf({ text, toolCalls, stopReason, refusal }: Reply) {
  return redactValueForModel({ text, toolCalls, stopReason, ...(refusal ? { refusal } : {}) });
}
