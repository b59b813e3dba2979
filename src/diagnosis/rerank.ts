import { z } from 'zod';
import type { Alert } from '../alert/index.ts';
import { NightshiftError } from '../errors.ts';
import { loadPrompt, type Models } from '../llm/index.ts';
import type { Found } from '../rag/index.ts';
import { fitCase, tokensOf } from './context.ts';

/** How many passages are put in order. */
export const RERANKED_MAX = 6;
/** Scores so near to each other, of 0 to 1, say little about which runbook is the better one. */
const CLOSE = 0.1;
const ANSWER_TOKENS_MAX = 400;
const PASSAGE_MAX = 1500;

const answerSchema = z.strictObject({ order: z.array(z.string()).max(RERANKED_MAX) });

/**
 * Lets a model put runbooks in order whose scores are close, the alert at hand. What declares itself for the alert, is linked by it or
 * bears its name keeps its place in front, since no model may argue with that; and a model that fails, answers late or names anything
 * else than what it was given changes nothing; `model` names the one whose order it is. Without a model, or where one runbook is clearly the best, nothing is asked.
 */
export async function rerank(
  found: readonly Found[],
  {
    incidentId,
    alerts,
    models,
    signal,
  }: { incidentId: number; alerts: readonly Alert[]; models: Models; signal: AbortSignal },
): Promise<{ found: readonly Found[]; model: string | null }> {
  const asFound = { found, model: null };
  const first = found.findIndex(({ why }) => !why.matched && !why.linked && !why.named);
  const open = first === -1 ? [] : found.slice(first, first + RERANKED_MAX);
  const [best, second] = open;
  if (models.namesFor('rerank').length === 0 || !best || !second || best.score - second.score > CLOSE) return asFound;
  const passages = open.map(({ path, breadcrumb, content }, index) => ({
    ref: `R${index + 1}`,
    kind: 'runbook' as const,
    title: `${path}: ${breadcrumb}`,
    content: content.slice(0, PASSAGE_MAX),
    origin: {},
  }));
  const prompt = loadPrompt('rerank');
  const reservedTokens = tokensOf(prompt.text) + ANSWER_TOKENS_MAX + 500;
  const room = { contextTokens: models.contextTokensFor('rerank'), reservedTokens };
  try {
    const { json, model } = await models.ask({
      role: 'rerank',
      prompts: [prompt],
      messages: [{ role: 'user', content: fitCase(alerts, passages, room).text }],
      output: { name: 'order', schema: z.toJSONSchema(answerSchema) as Record<string, unknown> },
      maxTokens: ANSWER_TOKENS_MAX,
      signal,
      incidentId,
    });
    const order = answerSchema.safeParse(json).data?.order ?? [];
    const places = order.map((ref) => passages.findIndex((passage) => passage.ref === ref));
    if (new Set(places).size !== open.length || places.includes(-1)) return asFound;
    const ordered = places.flatMap((place) => open[place] ?? []);
    const after = found.slice(first + open.length);
    return { found: [...found.slice(0, first), ...ordered, ...after], model };
  } catch (error) {
    if (!(error instanceof NightshiftError)) throw error;
    return asFound;
  }
}
