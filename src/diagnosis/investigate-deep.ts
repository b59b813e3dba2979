import { z } from 'zod';
import { messageOf, NightshiftError } from '../errors.ts';
import { type NewEvent, type Note, plain, type Work } from '../incident/index.ts';
import { loadPrompt, type ModelAnswer } from '../llm/index.ts';
import { fitCase, tokensOf } from './context.ts';
import { quoteOccurs } from './critique.ts';
import { fence } from './describe.ts';
import {
  type Assignment,
  type Bounds,
  type InvestigateDependencies,
  type Investigated,
  investigate,
} from './investigate.ts';
import type { Specialists } from './specialists.ts';
import type { Evidence } from './store.ts';

const QUESTIONS_MAX = 4;
const FINDINGS_MAX = 8;
const ANSWER_TOKENS_MAX = 1_500;
const ANSWER_SHARE = 0.125;
/** Each specialist numbers what it finds from a hundred of its own, so that ids do not depend on who is faster. */
const HUNDRED = 100;
/** What the lead keeps for each of its two questions, as a share of all tokens. */
const LEAD_SHARE = 0.25;
const LEAD_TOKENS_MIN = 8_000;

const findingsSchema = z.strictObject({
  findings: z
    .array(
      z.strictObject({
        text: z.string().min(1).max(600),
        citations: z.array(z.strictObject({ evidence: z.string(), quote: z.string().min(1).max(1000) })).max(6),
      }),
    )
    .max(FINDINGS_MAX),
});

type DeepDependencies = InvestigateDependencies & { readonly specialists: Specialists };

/**
 * Lets a lead hand at most four questions to specialists, who look into them at once within bounds that are shared, and put together what
 * came back as notes whose quotes were looked up. Where the lead gives none that can be used, one specialist looks into it alone.
 */
export async function investigateDeeply(
  work: Work,
  assignment: Assignment,
  dependencies: DeepDependencies,
): Promise<Investigated> {
  const { evidence, bounds, firstNumber } = assignment;
  const { specialists } = dependencies;
  const names = [...specialists.keys()] as [string, ...string[]];
  const questionsSchema = z.strictObject({
    questions: z
      .array(z.strictObject({ specialist: z.enum(names), question: z.string().min(1).max(600) }))
      .max(QUESTIONS_MAX),
  });
  const offer = `Hand out questions. Specialists on offer: ${names.join(', ')}.`;
  const asked = await askLead(
    work,
    'lead questions',
    { evidence, more: offer, schema: questionsSchema, bounds },
    dependencies,
  );
  if (!asked.value) {
    const alone = await investigate(work, assignment, dependencies);
    return { ...alone, events: [...asked.events, ...alone.events] };
  }
  const { questions } = asked.value;
  const handed: NewEvent = { type: 'investigation.shared', actor: 'nightshift', data: { questions } };
  if (questions.length === 0) return { evidence: [], notes: [], events: [...asked.events, handed], said: '' };

  const begins = Math.ceil(firstNumber / HUNDRED) * HUNDRED;
  const parts = await Promise.all(
    questions.map(({ specialist: name, question }, index) =>
      investigate(
        work,
        {
          evidence,
          specialist: specialists.get(name) ?? assignment.specialist,
          question,
          key: `investigate part ${index + 1}`,
          firstNumber: begins + index * HUNDRED + 1,
          bounds: {
            steps: Math.max(1, Math.floor(bounds.steps / questions.length)),
            tokens: Math.floor((bounds.tokens * (1 - 2 * LEAD_SHARE)) / questions.length),
            endsAt: bounds.endsAt,
          },
        },
        dependencies,
      ),
    ),
  );
  const found = parts.flatMap((part) => part.evidence);
  const events = [...asked.events, handed, ...parts.flatMap((part) => part.events)];
  const merged = await merge(work, { questions, parts, evidence: [...evidence, ...found], bounds }, dependencies);
  return { evidence: found, notes: merged.notes, events: [...events, ...merged.events], said: '' };
}

async function merge(
  work: Work,
  {
    questions,
    parts,
    evidence,
    bounds,
  }: {
    questions: readonly { specialist: string; question: string }[];
    parts: readonly Investigated[];
    evidence: readonly Evidence[];
    bounds: Bounds;
  },
  dependencies: DeepDependencies,
): Promise<{ notes: Note[]; events: NewEvent[] }> {
  const said = questions.map(({ specialist, question }, index) => {
    const words = parts[index]?.said || 'It came to no end.';
    const ids = parts[index]?.evidence.map(({ ref }) => ref).join(', ') || 'nothing';
    return fence(`part specialist="${specialist}"`, `Asked: ${question}\nFound: ${ids}\nSays: ${words}`);
  });
  const more = ['Put together what came back.', ...said].join('\n\n');
  const asked = await askLead(work, 'lead findings', { evidence, more, schema: findingsSchema, bounds }, dependencies);
  if (!asked.value) return { notes: [], events: asked.events };
  const { kept, dropped } = groundedNotes(asked.value.findings, evidence);
  const data = { findings: kept, dropped: dropped.map((text) => plain(text)) };
  return { notes: kept, events: [...asked.events, { type: 'investigation.merged', actor: 'nightshift', data }] };
}

/** Keeps the findings of which a quote really stands in the evidence that they name, with those citations alone; pure. */
export function groundedNotes(
  findings: readonly Note[],
  evidence: readonly Evidence[],
): { kept: Note[]; dropped: string[] } {
  const texts = new Map(evidence.map(({ ref, content, full }) => [ref, full ?? content]));
  const dropped: string[] = [];
  const kept = findings.flatMap(({ text, citations }): Note[] => {
    const holds = citations.filter(({ evidence: ref, quote }) => quoteOccurs(quote, texts.get(ref) ?? ''));
    if (holds.length === 0) dropped.push(text);
    return holds.length === 0 ? [] : [{ text, citations: holds }];
  });
  return { kept, dropped };
}

/** Asks the lead for something of this form; `value` is null where nobody answered usably. */
async function askLead<T>(
  work: Work,
  key: string,
  {
    evidence,
    more,
    schema,
    bounds,
  }: { evidence: readonly Evidence[]; more: string; schema: z.ZodType<T>; bounds: Bounds },
  { models }: DeepDependencies,
): Promise<{ value: T | null; events: NewEvent[] }> {
  const prompt = loadPrompt('lead');
  const share = Math.max(LEAD_TOKENS_MIN, bounds.tokens * LEAD_SHARE);
  const contextTokens = Math.floor(Math.min(models.contextTokensFor('investigate'), share));
  const maxTokens = Math.min(ANSWER_TOKENS_MAX, Math.floor(contextTokens * ANSWER_SHARE));
  const { text } = fitCase(
    work.alerts,
    evidence,
    { contextTokens, reservedTokens: tokensOf(prompt.text) + maxTokens + 600 },
    more,
  );
  const failed = (error: string): { value: null; events: NewEvent[] } => {
    const data = {
      role: 'investigate',
      error,
      instead: key === 'lead questions' ? 'one specialist' : 'what was found, without notes',
    };
    return { value: null, events: [{ type: 'model.failed', actor: 'nightshift', data }] };
  };
  const deadline = AbortSignal.timeout(Math.max(1, bounds.endsAt - Date.now()));
  let answer: ModelAnswer;
  try {
    answer = await work.journal(key, () =>
      models.ask({
        role: 'investigate',
        prompts: [prompt],
        messages: [{ role: 'user', content: text }],
        output: { name: key.replace(' ', '_'), schema: z.toJSONSchema(schema) as Record<string, unknown> },
        maxTokens,
        signal: AbortSignal.any([work.abort, deadline]),
        incidentId: work.incident.id,
      }),
    );
  } catch (error) {
    if (work.abort.aborted || !(error instanceof NightshiftError)) throw error;
    return failed(messageOf(error));
  }
  const parsed = schema.safeParse(answer.json);
  if (!parsed.success) return failed(`${answer.model} did not answer in the form asked for`);
  const data = {
    role: 'investigate',
    model: answer.model,
    rounds: 1,
    usage: answer.usage,
    failedOver: answer.failedOver,
  };
  return { value: parsed.data, events: [{ type: 'model.answered', actor: 'nightshift', data }] };
}
