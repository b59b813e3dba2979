import { z } from 'zod';
import { messageOf, NightshiftError } from '../errors.ts';
import type { Diagnosis, NewEvent, Work } from '../incident/index.ts';
import { loadPrompt, type ModelAnswer, type Models } from '../llm/index.ts';
import { fitCase, tokensOf } from './context.ts';
import { fence } from './describe.ts';
import type { Evidence } from './store.ts';

const ANSWER_TOKENS_MAX = 1_500;
const ANSWER_SHARE = 0.125;
const CLAIMS_MAX = 20;
const AROUND = 200;

const answerSchema = z.strictObject({
  claims: z
    .array(z.strictObject({ id: z.string(), carried: z.boolean(), why: z.string().max(600) }))
    .max(CLAIMS_MAX * 2),
});

/** One thing that a diagnosis says, as it is put before the reviewer. */
export interface Claim {
  readonly id: string;
  readonly text: string;
  /** Whether the diagnosis falls with it; a hypothesis that was ruled out without reason only falls itself. */
  readonly isCause: boolean;
}

/** What another model says of a diagnosis; `unavailable` is never taken for a yes. */
export interface Review {
  readonly review: 'passed' | 'rejected' | 'unavailable' | 'none';
  readonly objections: readonly string[];
  /** The claims that are not carried, by their ids. */
  readonly fallen: ReadonlySet<string>;
  readonly costUsd: number;
  readonly events: readonly NewEvent[];
}

const NONE: Review = { review: 'none', objections: [], fallen: new Set(), costUsd: 0, events: [] };

/**
 * Takes a diagnosis apart into what it claims: each sentence of the root cause, and each hypothesis that is ruled out; at most 20. Of the
 * root cause nothing is left out: sentences beyond that are one claim with the last.
 */
export function claimsOf({ rootCause, ruledOut }: Pick<Diagnosis, 'rootCause' | 'ruledOut'>): Claim[] {
  const sentences = rootCause.split(/(?<=[.!?])\s+(?=\p{Lu}|\p{N})/u).filter((one) => one.trim() !== '');
  const rest = sentences.slice(CLAIMS_MAX - 1).join(' ');
  const causes = [...sentences.slice(0, CLAIMS_MAX - 1), ...(rest === '' ? [] : [rest])];
  const texts = [
    ...causes.map((text) => ({ text, isCause: true })),
    ...ruledOut.map(({ hypothesis, why }) => ({
      text: `It is not this: ${hypothesis} Because: ${why}`,
      isCause: false,
    })),
  ];
  return texts.slice(0, CLAIMS_MAX).map((claim, index) => ({ id: `C${index + 1}`, ...claim }));
}

/**
 * Lets another model than the one that answered say of each claim whether the evidence carries it. Gives `none` where there is no other,
 * and `unavailable` where there is one and its word cannot be had; it only ever takes away from a diagnosis.
 */
export async function critiqueWithModel(
  work: Work,
  { diagnosis, evidence, key }: { diagnosis: Diagnosis; evidence: readonly Evidence[]; key: string },
  models: Models,
): Promise<Review> {
  const author = diagnosis.model ?? '';
  const notModels = [author];
  if (models.namesFor('critique', notModels).length === 0) return NONE;
  const prompt = loadPrompt('critique');
  const contextTokens = models.contextTokensFor('critique');
  const maxTokens = Math.min(ANSWER_TOKENS_MAX, Math.floor(contextTokens * ANSWER_SHARE));
  const claims = claimsOf(diagnosis);
  const more = describeClaims(diagnosis, claims, evidence);
  const room = { contextTokens, reservedTokens: tokensOf(prompt.text) + maxTokens + 500 };
  const unavailable = (error: string): Review => {
    const data = { role: 'critique', error, instead: 'little confidence, and no plan of a model' };
    return { ...NONE, review: 'unavailable', events: [{ type: 'model.failed', actor: 'nightshift', data }] };
  };
  let answer: ModelAnswer;
  try {
    answer = await work.journal(key, () =>
      models.ask({
        role: 'critique',
        prompts: [prompt],
        messages: [{ role: 'user', content: fitCase(work.alerts, evidence, room, more).text }],
        output: { name: 'critique', schema: z.toJSONSchema(answerSchema) as Record<string, unknown> },
        maxTokens,
        signal: work.abort,
        incidentId: work.incident.id,
        notModels,
      }),
    );
  } catch (error) {
    if (work.abort.aborted || !(error instanceof NightshiftError)) throw error;
    return unavailable(messageOf(error));
  }
  const parsed = answerSchema.safeParse(answer.json);
  // Of two words on one claim the no holds.
  const words = parsed.data?.claims.toSorted((a, b) => Number(b.carried) - Number(a.carried));
  const said = new Map(words?.map((claim) => [claim.id, claim]));
  const costUsd = answer.costUsd ?? 0;
  // One that judges itself, or passes over a claim in silence, has not reviewed it.
  if (answer.model === author || !parsed.success || claims.some(({ id }) => !said.has(id)))
    return { ...unavailable(`${answer.model} did not speak of every claim`), costUsd };
  const fallen = claims.filter(({ id }) => said.get(id)?.carried === false);
  const objections = fallen.map(
    ({ id, text }) => `“${text.slice(0, 200)}” is not carried by the evidence: ${said.get(id)?.why ?? ''}`,
  );
  const review = fallen.length > 0 ? 'rejected' : 'passed';
  const data = {
    model: answer.model,
    review,
    objections,
    prompt: prompt.sha256,
    usage: answer.usage,
    costUsd: answer.costUsd,
  };
  return {
    review,
    objections,
    fallen: new Set(fallen.map(({ id }) => id)),
    costUsd,
    events: [{ type: 'diagnosis.reviewed', actor: 'nightshift', data }],
  };
}

/** The claims, and each quote with what stands around it, since the item that it is from may be shown in part. */
function describeClaims({ citations }: Diagnosis, claims: readonly Claim[], evidence: readonly Evidence[]): string {
  const quotes = citations.map(({ evidence: ref, quote }) => {
    const item = evidence.find((one) => one.ref === ref);
    const text = item?.full ?? item?.content ?? '';
    const at = text.indexOf(quote);
    const around = at === -1 ? quote : text.slice(Math.max(0, at - AROUND), at + quote.length + AROUND);
    return fence(`quote of="${ref}"`, around.toWellFormed());
  });
  const list = claims.map(({ id, text }) => `${id}: ${text}`).join('\n');
  return [fence('claims', list), ...quotes].join('\n\n');
}
