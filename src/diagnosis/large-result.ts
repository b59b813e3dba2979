import { z } from 'zod';
import type { Alert } from '../alert/index.ts';
import { NightshiftError } from '../errors.ts';
import type { Work } from '../incident/index.ts';
import { loadPrompt, type Models } from '../llm/index.ts';
import { cutMiddle, fitCase, tokensOf } from './context.ts';
import { quoteOccurs } from './critique.ts';
import { fence } from './describe.ts';
import type { Evidence } from './store.ts';

const ANSWER_TOKENS_MAX = 1_200;
/** What one result may take of the window of the smallest model that reads it, as a share; in characters. */
const SHARE_CHARACTERS = 0.15;
const SHOWN_MIN = 1_200;
const SHOWN_MAX = 8_000;
/** Without a model only people read it. */
const SHOWN_TO_PEOPLE = 4_000;
/** A summary of what is hardly too long costs more than it saves. */
const WORTH_IT = 1.5;

const answerSchema = z.strictObject({
  summary: z.string().min(1).max(2_000),
  lines: z.array(z.string().min(1).max(1_000)).max(60),
});

/** Says how many characters of one result are shown, from the window of the smallest model that may read it. */
export function shownCharacters(models: Models): number {
  if (models.names.length === 0) return SHOWN_TO_PEOPLE;
  const windows = (['investigate', 'diagnose'] as const)
    .map((role) => models.contextTokensFor(role))
    .filter((tokens) => tokens > 0);
  const smallest = Math.min(...windows);
  if (!Number.isFinite(smallest)) return SHOWN_TO_PEOPLE;
  return Math.max(SHOWN_MIN, Math.min(SHOWN_MAX, Math.floor(smallest * SHARE_CHARACTERS)));
}

/** What is shown of a text, and the whole of it where that is more. */
export type Shown = Pick<Evidence, 'content' | 'full'>;

/** Cuts a text that is too long in its middle, and says so; the whole stays beside it. */
export function cutLarge(text: string, characters: number): Shown {
  if (text.length <= characters) return { content: text };
  const more = readsOn(text);
  return { content: `${cutMiddle(text, characters - more.length)}${more}`, full: text };
}

/**
 * Shortens the result of a look: by a model where one answers, whose copied lines are kept only if they really stand in the text, and by
 * leaving out its middle otherwise. The whole stays beside it, and only the whole can be quoted.
 */
export async function shorten(
  work: Work,
  { name, seen }: { name: string; seen: { readonly outcome: string; readonly text: string } },
  {
    models,
    characters,
    alerts,
    signal,
  }: { models: Models; characters: number; alerts: readonly Alert[]; signal: AbortSignal },
): Promise<Shown & { summarisedBy?: string }> {
  const { text } = seen;
  const cut = cutLarge(text, characters);
  if (text.length <= characters * WORTH_IT || models.namesFor('summarise').length === 0 || seen.outcome !== 'succeeded')
    return cut;
  const prompt = loadPrompt('summarise');
  const window = models.contextTokensFor('summarise') - tokensOf(prompt.text) - ANSWER_TOKENS_MAX - 500;
  const result = fence('result', cutMiddle(text, Math.max(500, window * 1.5)));
  const question = fitCase(alerts, [], { contextTokens: window, reservedTokens: 0 }, result).text;
  try {
    const answer = await work.journal(`summarise ${name}`, () =>
      models.ask({
        role: 'summarise',
        prompts: [prompt],
        messages: [{ role: 'user', content: question }],
        output: { name: 'summary', schema: z.toJSONSchema(answerSchema) as Record<string, unknown> },
        maxTokens: ANSWER_TOKENS_MAX,
        signal,
        incidentId: work.incident.id,
      }),
    );
    const said = answerSchema.safeParse(answer.json).data;
    const lines = said?.lines.filter((line) => quoteOccurs(line, text)) ?? [];
    if (!said || lines.length === 0) return cut;
    const words = [
      `Summary by ${answer.model}, in its own words:`,
      said.summary,
      '',
      'Lines of it, as they stand:',
      ...lines,
    ];
    const more = readsOn(text);
    const content = `${cutMiddle(words.join('\n'), characters - more.length)}${more}`;
    return { content, full: text, summarisedBy: answer.model };
  } catch (error) {
    if (work.abort.aborted || !(error instanceof NightshiftError)) throw error;
    return cut;
  }
}

function readsOn({ length }: string): string {
  return `\n[${length} characters in all; evidence.read reads on]`;
}
