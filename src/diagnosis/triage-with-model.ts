import { z } from 'zod';
import type { Alert } from '../alert/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import type { NewEvent, Work } from '../incident/index.ts';
import { loadPrompt, type Models } from '../llm/index.ts';
import { fitCase, tokensOf } from './context.ts';
import type { Specialists } from './specialists.ts';
import { CATEGORIES, type Category, type SpecialistGuess } from './triage-by-labels.ts';

const ANSWER_TOKENS_MAX = 400;
const SURENESS = { high: 0.9, medium: 0.7, low: 0.4 } as const;

export interface ModelTriage {
  readonly specialist: SpecialistGuess;
  readonly category: Category;
  /** What it would call the severity; only ever shown. */
  readonly severity: string;
}

/** Asks a cheap model which specialist an incident is for; gives null where nobody answers usably. The answer is one of the names on offer, or none. */
export async function triageWithModel(
  work: Work,
  alerts: readonly Alert[],
  { models, specialists }: { models: Models; specialists: Specialists },
): Promise<{ triage: ModelTriage | null; events: NewEvent[] }> {
  const schema = z.strictObject({
    specialist: z.enum([...specialists.keys()] as [string, ...string[]]),
    category: z.enum(CATEGORIES),
    severity: z.enum(['critical', 'warning', 'info']),
    confidence: z.enum(['high', 'medium', 'low']),
    why: z.string().min(1).max(400),
  });
  const prompt = loadPrompt('triage');
  const contextTokens = models.contextTokensFor('triage');
  const { text } = fitCase(alerts, [], {
    contextTokens,
    reservedTokens: tokensOf(prompt.text) + ANSWER_TOKENS_MAX + 500,
  });
  try {
    const answer = await work.journal('triage', () =>
      models.ask({
        role: 'triage',
        prompts: [prompt],
        messages: [{ role: 'user', content: text }],
        output: { name: 'triage', schema: z.toJSONSchema(schema) as Record<string, unknown> },
        maxTokens: ANSWER_TOKENS_MAX,
        signal: work.abort,
        incidentId: work.incident.id,
      }),
    );
    const parsed = schema.safeParse(answer.json);
    const data = { role: 'triage', model: answer.model, rounds: 1, usage: answer.usage, failedOver: answer.failedOver };
    const answered: NewEvent = { type: 'model.answered', actor: 'nightshift', data };
    if (!parsed.success) return { triage: null, events: [answered] };
    const { specialist, category, severity, confidence, why } = parsed.data;
    const guess: SpecialistGuess = {
      value: specialist,
      confidence: SURENESS[confidence],
      why: `${answer.model}: ${why}`,
      by: 'model',
    };
    return { triage: { specialist: guess, category, severity }, events: [answered] };
  } catch (error) {
    if (work.abort.aborted || !(error instanceof NightshiftError)) throw error;
    const data = { role: 'triage', error: messageOf(error), instead: 'what the labels tell' };
    return { triage: null, events: [{ type: 'model.failed', actor: 'nightshift', data }] };
  }
}
