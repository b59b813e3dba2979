import { z } from 'zod';
import { readEmbedded } from '../database/index.ts';
import { sketchOf } from './sketch.ts';

const requestSchema = z.object({ messages: z.array(z.unknown()) });

const answerSchema = z.object({
  text: z.string(),
  toolCalls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.unknown() })),
  stopReason: z.enum(['end', 'tool_calls', 'length', 'refusal', 'other']),
});

/** A question to a model in one run, and what came of it. */
export const modelCallSchema = z.object({
  role: z.string(),
  /** SHA-256 of the system prompt, in hexadecimal. */
  prompt: z.string(),
  /** By which the question is known again where its times and ids are others. */
  sketch: z.array(z.string()),
  /** Null where no answer came back. */
  answer: answerSchema.nullable(),
  inputTokens: z.number().nullable(),
  cachedTokens: z.number().nullable(),
  outputTokens: z.number().nullable(),
  /** In US dollars; null where the price is not known. */
  costUsd: z.number().nullable(),
});
export type ModelCall = z.infer<typeof modelCallSchema>;

/** Reads what a run that is over asked of models and what they answered, in that order, from its database. */
export async function readModelCalls(dataDir: string): Promise<ModelCall[]> {
  const db = await readEmbedded(dataDir);
  try {
    const rows = await db.q.selectFrom('model_call').selectAll().orderBy('id').execute();
    // Whoever did not answer and was then asked the same again would be asked only once, were it an answer.
    const kept = rows.filter(
      ({ answer, question_sha256: question }, index) =>
        answer !== null || !rows.slice(index + 1).some((later) => later.question_sha256 === question),
    );
    return kept.map((row) => ({
      role: row.role,
      prompt: row.prompt_sha256,
      sketch: sketchOf(requestSchema.parse(row.request).messages),
      answer: row.answer === null ? null : answerSchema.parse(row.answer),
      inputTokens: row.input_tokens,
      cachedTokens: row.cached_tokens,
      outputTokens: row.output_tokens,
      costUsd: row.cost_usd === null ? null : Number(row.cost_usd),
    }));
  } finally {
    await db.close();
  }
}

/** Gives what calls cost together in US dollars; null where something was answered whose price is not known. */
export function costOf(calls: readonly Pick<ModelCall, 'costUsd' | 'outputTokens'>[]): number | null {
  if (calls.some(({ costUsd, outputTokens }) => costUsd === null && outputTokens !== null)) return null;
  return calls.reduce((sum, { costUsd }) => sum + (costUsd ?? 0), 0);
}
