import { z } from 'zod';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import type { Diagnosis, NewEvent, Stage, Work } from '../incident/index.ts';
import { loadPrompt, type ModelAnswer, type ModelMessage, type Models } from '../llm/index.ts';
import { fenceNotes, fitCase, tokensOf } from './context.ts';
import { critique } from './critique.ts';
import { claimsOf, critiqueWithModel, type Review } from './critique-with-model.ts';
import { fromRunbook } from './from-runbook.ts';
import type { Specialists } from './specialists.ts';
import { type Evidence, evidenceOf, fullEvidenceOf } from './store.ts';
import { route } from './triage-by-labels.ts';

const ANSWER_TOKENS_MAX = 2_000;
const ANSWER_SHARE = 0.125;
const OBJECTIONS_MAX = 3_000;

const name = z.string().min(1).max(300);
/** What the model must answer with; one schema for the request, the validation and the type. */
const answerSchema = z.strictObject({
  root_cause: z.string().min(1).max(2000),
  confidence: z.enum(['high', 'medium', 'low']),
  citations: z.array(z.strictObject({ evidence: z.string(), quote: z.string().min(1).max(1000) })).max(20),
  ruled_out: z
    .array(z.strictObject({ hypothesis: z.string(), why: z.string(), evidence: z.string().nullable() }))
    .max(20),
  components: z.array(z.strictObject({ kind: name, name, evidence: z.string().nullable() })).max(20),
  unknowns: z.array(z.string()).max(20),
  inconclusive: z.boolean(),
});

export interface DiagnoseDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'investigation' | 'services'>;
  readonly models: Models;
  readonly specialists: Specialists;
}

/** Makes the stage that says what is the matter, by a model where one is configured, by the runbook's own words otherwise. */
export function createDiagnose(dependencies: DiagnoseDependencies): Stage {
  const { db, models } = dependencies;
  return async (work) => {
    const { incident } = work;
    const isAsked = models.namesFor('diagnose').length > 0;
    const evidence = await (isAsked ? fullEvidenceOf : evidenceOf)(db, incident.id, incident.cycle);
    const events: NewEvent[] = [];
    let diagnosis: Diagnosis | null = null;
    if (isAsked) {
      const asked = await askModel(work, evidence, dependencies);
      events.push(...asked.events);
      diagnosis = asked.diagnosis;
    }
    diagnosis ??= fromRunbook(evidence, incident.context.lateEvidence);
    events.push({ type: 'diagnosis.made', actor: 'nightshift', data: { ...diagnosis } });
    return { state: 'diagnosed', context: { diagnosis }, events };
  };
}

interface Asked {
  readonly diagnosis: Diagnosis | null;
  readonly events: NewEvent[];
}

/** How one round ended: what is left of the answer, what is wrong with it, and what another model says of it. */
interface Round {
  readonly diagnosis: Diagnosis | null;
  readonly problems: readonly string[];
  readonly review: Review | null;
}

/**
 * Asks for a diagnosis, checks it without a model and then by another one, and sends it back with what is wrong, as often and for as much
 * as the configuration allows. What is not grounded then is inconclusive.
 */
async function askModel(work: Work, evidence: readonly Evidence[], dependencies: DiagnoseDependencies): Promise<Asked> {
  const { models, config, specialists } = dependencies;
  const { critiqueRounds, critiqueUsd } = config.investigation;
  const prompt = loadPrompt('diagnose');
  const specialist = specialists.get(route(work.incident.context.triage, specialists));
  const prompts = [prompt, ...(specialist ? [specialist.prompt] : [])];
  const maxTokens = Math.min(ANSWER_TOKENS_MAX, Math.floor(models.contextTokensFor('diagnose') * ANSWER_SHARE));
  const question = questionOf(work, evidence, { models, prompts, maxTokens });
  const output = { name: 'diagnosis', schema: z.toJSONSchema(answerSchema) as Record<string, unknown> };
  const events: NewEvent[] = [];
  let messages: ModelMessage[] = [question];
  let last: { answer: ModelAnswer; round: Round; number: number } | null = null;
  // What the first answer costs is the price of a diagnosis; only what comes after it counts as critique.
  let spentUsd = 0;
  try {
    for (let number = 1; number <= critiqueRounds && (number === 1 || spentUsd < critiqueUsd); number += 1) {
      const answer: ModelAnswer = await work.journal(`model ${number}`, () =>
        models.ask({
          role: 'diagnose',
          prompts,
          messages,
          output,
          maxTokens,
          signal: work.abort,
          incidentId: work.incident.id,
        }),
      );
      if (number > 1) spentUsd += answer.costUsd ?? 0;
      const isLast = number === critiqueRounds;
      const mayReview = spentUsd < critiqueUsd;
      const round = await checkOne(work, { answer, evidence, number, isLast, mayReview }, dependencies);
      spentUsd += round.review?.costUsd ?? 0;
      events.push(...(round.review?.events ?? []));
      last = { answer, round, number };
      const objections = [...round.problems, ...(round.review?.objections ?? [])];
      if (objections.length === 0) break;
      const words = `That answer cannot be used:\n${objections.join('\n').slice(0, OBJECTIONS_MAX).replaceAll('<', '‹')}\nAnswer again, corrected.`;
      messages = [question, answer.turn, { role: 'user', content: words }];
    }
    if (!last?.round.diagnosis) {
      const why = last?.round.problems.join('; ') ?? 'it was not asked';
      throw new NightshiftError('llm_failed', `${last?.answer.model ?? 'the model'} gave no usable diagnosis: ${why}`);
    }
    const { answer, round, number } = last;
    // What had to be mended after the last answer was not read by anybody yet.
    const review =
      round.review ??
      (await reviewOf(
        work,
        { diagnosis: last.round.diagnosis, evidence, number },
        { models, mayReview: spentUsd < critiqueUsd },
      ));
    if (!round.review) events.push(...review.events);
    const data = {
      role: 'diagnose',
      model: answer.model,
      prompt: prompt.sha256,
      rounds: number,
      dropped: round.problems,
      review: review.review,
      usage: answer.usage,
      failedOver: answer.failedOver,
    };
    const diagnosis = withReview(last.round.diagnosis, review);
    return { diagnosis, events: [{ type: 'model.answered', actor: 'nightshift', data }, ...events] };
  } catch (error) {
    // A database that does not answer is no fault of the model: the stage fails, and its answer is not paid for again.
    if (work.abort.aborted || !(error instanceof NightshiftError)) throw error;
    const data = { role: 'diagnose', error: messageOf(error), instead: 'runbook mode' };
    return { diagnosis: null, events: [...events, { type: 'model.failed', actor: 'nightshift', data }] };
  }
}

function questionOf(
  { incident, alerts }: Work,
  evidence: readonly Evidence[],
  { models, prompts, maxTokens }: { models: Models; prompts: readonly { text: string }[]; maxTokens: number },
): ModelMessage {
  const fits = evidence.some(({ kind }) => kind === 'runbook');
  const more = [fenceNotes(incident.context.notes), fits ? '' : 'No runbook fits this alert.'].filter(
    (one) => one !== '',
  );
  const fixed = prompts.reduce((sum, { text }) => sum + tokensOf(text), 0);
  // The answer may come back with objections, and then there is another one.
  const reservedTokens = fixed + 2 * maxTokens + tokensOf('x'.repeat(OBJECTIONS_MAX));
  const contextTokens = models.contextTokensFor('diagnose');
  return {
    role: 'user',
    content: fitCase(alerts, evidence, { contextTokens, reservedTokens }, more.join('\n\n')).text,
  };
}

interface OneRound {
  readonly answer: ModelAnswer;
  readonly evidence: readonly Evidence[];
  readonly number: number;
  readonly isLast: boolean;
  readonly mayReview: boolean;
}

async function checkOne(
  work: Work,
  { answer, evidence, number, isLast, mayReview }: OneRound,
  { models, config }: DiagnoseDependencies,
): Promise<Round> {
  // Servers that follow no schema leave out what is empty; naming no component is no mistake.
  const json =
    answer.json !== null && typeof answer.json === 'object' ? { components: [], ...answer.json } : answer.json;
  const parsed = answerSchema.safeParse(json);
  if (!parsed.success) return { diagnosis: null, problems: [z.prettifyError(parsed.error)], review: null };
  const { problems, diagnosis } = critique(toDiagnosis(parsed.data, answer.model), evidence, {
    alerts: work.alerts,
    services: config.services,
  });
  if (problems.length > 0 && !isLast) return { diagnosis, problems, review: null };
  return { diagnosis, problems, review: await reviewOf(work, { diagnosis, evidence, number }, { models, mayReview }) };
}

/** Lets another model review what is left of an answer; an honest `inconclusive` claims nothing that could be wrong. */
async function reviewOf(
  work: Work,
  { diagnosis, evidence, number }: { diagnosis: Diagnosis; evidence: readonly Evidence[]; number: number },
  { models, mayReview }: { models: Models; mayReview: boolean },
): Promise<Review> {
  const nothing = { objections: [], fallen: new Set<string>(), costUsd: 0, events: [] };
  if (diagnosis.inconclusive) return { ...nothing, review: 'none' };
  if (mayReview) return critiqueWithModel(work, { diagnosis, evidence, key: `critique ${number}` }, models);
  const isThere = models.namesFor('critique', [diagnosis.model ?? '']).length > 0;
  return { ...nothing, review: isThere ? 'unavailable' : 'none' };
}

/** Writes the review into the diagnosis. It only takes away: a cause that is not carried makes it inconclusive, no word makes it unsure. */
export function withReview(diagnosis: Diagnosis, { review, fallen }: Pick<Review, 'review' | 'fallen'>): Diagnosis {
  if (review === 'unavailable') return { ...diagnosis, review, confidence: 'low' };
  if (review !== 'rejected') return { ...diagnosis, review };
  const claims = claimsOf(diagnosis).filter(({ id }) => fallen.has(id));
  if (claims.some(({ isCause }) => isCause)) return { ...diagnosis, review, confidence: 'low', inconclusive: true };
  const gone = new Set(claims.map(({ text }) => text));
  const texts = new Map(
    claimsOf({ rootCause: '', ruledOut: diagnosis.ruledOut }).map(({ text }, index) => [index, text]),
  );
  const ruledOut = diagnosis.ruledOut.filter((_, index) => !gone.has(texts.get(index) ?? ''));
  return { ...diagnosis, review: 'passed', ruledOut };
}

function toDiagnosis(answer: z.infer<typeof answerSchema>, model: string): Diagnosis {
  const { root_cause: rootCause, ruled_out, ...same } = answer;
  return {
    mode: 'model',
    model,
    rootCause,
    ruledOut: ruled_out.map(({ hypothesis, why }) => ({ hypothesis, why })),
    ...same,
  };
}
