import { z } from 'zod';
import type { Alert } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { alertsOf, type Incident, incidentName, loadIncident, plain } from '../incident/index.ts';
import { loadPrompt, type Models } from '../llm/index.ts';
import { type Embedder, retrievePastIncidents, retrieveRunbooks } from '../rag/index.ts';
import { redact } from '../telemetry/index.ts';
import { fitCase, tokensOf } from './context.ts';
import { quoteOccurs } from './critique.ts';
import { fence } from './describe.ts';
import { type Evidence, fullEvidenceOf } from './store.ts';

const QUESTION_MAX = 1_000;
const ANSWER_MAX = 2_900;
const ANSWER_TOKENS_MAX = 1_500;
const MODEL_MS = 60_000;
const PASSAGES_MAX = 3;
const PASSAGE_MAX = 600;
const CONTENT_MAX = 4_000;

/**
 * Answers a question about an incident, or (null) about what runbooks and past incidents say, in at most 2,900 characters of plain text.
 * It reads, and never acts.
 * @throws NightshiftError `not_found` when there is no such incident.
 */
export type Answer = (question: string, incidentId: number | null) => Promise<string>;

/** What the model must answer with. */
const answerSchema = z.strictObject({
  answer: z.string().min(1).max(2_000),
  citations: z.array(z.strictObject({ evidence: z.string(), quote: z.string().min(1).max(1_000) })).max(10),
});

export interface AnswerDependencies {
  readonly db: Database;
  readonly models: Models;
  readonly embedder: Embedder;
}

/** What an answer may rest on. */
interface Case {
  readonly incident: Incident | null;
  readonly alerts: readonly Alert[];
  readonly evidence: readonly Evidence[];
}

/** Makes the answers to people's questions: by a model where one is configured, by the stored passages themselves otherwise. */
export function createAnswer({ db, models, embedder }: AnswerDependencies): Answer {
  return async (question, incidentId) => {
    const asked = question.slice(0, QUESTION_MAX).toWellFormed();
    const found = await gather(db, embedder, asked, incidentId);
    // Without anything to cite a model could only guess.
    const canAsk = models.namesFor('answer').length > 0 && found.evidence.length > 0;
    const byModel = canAsk ? await askModel(models, asked, found) : null;
    return redact(byModel ?? fromRows(found), ANSWER_MAX);
  };
}

/** The incident's own evidence first, so that its ids mean the same as everywhere; then passages that fit the question. */
async function gather(db: Database, embedder: Embedder, question: string, incidentId: number | null): Promise<Case> {
  const incident = incidentId === null ? null : await loadIncident(db, incidentId);
  const own = incident ? await fullEvidenceOf(db, incident.id) : [];
  const query = { labels: {}, annotations: { summary: question }, embedder, limit: PASSAGES_MAX };
  const runbooks = await retrieveRunbooks(db, query);
  const past = await retrievePastIncidents(db, { ...query, ...(incident ? { excludeIncidentId: incident.id } : {}) });
  const passages = [
    ...runbooks.map(({ title, path, startLine, endLine, content, flags }) => ({
      kind: 'runbook' as const,
      title: `${title} (${path}:${startLine}-${endLine})${flags.length > 0 ? ' [instruction-like text]' : ''}`,
      content: redact(content, CONTENT_MAX),
    })),
    ...past.map(({ incidentId: id, title, summary }) => ({
      kind: 'past_incident' as const,
      title: `${incidentName(id)} ${title}`,
      content: redact(summary, CONTENT_MAX),
    })),
  ];
  const shown = new Set(own.map(({ title }) => title));
  const further = passages
    .filter(({ title }) => !shown.has(title))
    .map((passage, index): Evidence => ({ ref: `P${index + 1}`, origin: {}, ...passage }));
  return { incident, alerts: incident ? await alertsOf(db, incident) : [], evidence: [...own, ...further] };
}

/** Gives the model's answer with the sources that hold, or null when no model gave a usable one. */
async function askModel(
  models: Models,
  question: string,
  { incident, alerts, evidence }: Case,
): Promise<string | null> {
  const state = incident ? JSON.stringify(describeIncident(incident)) : 'The question is about no particular incident.';
  const prompt = loadPrompt('answer');
  const contextTokens = models.contextTokensFor('answer');
  const reservedTokens = tokensOf(prompt.text) + tokensOf(state) + ANSWER_TOKENS_MAX + 500;
  const { text } = fitCase(alerts, evidence, { contextTokens, reservedTokens }, fence('question', question));
  const content = [fence('incident', state), text].join('\n\n');
  try {
    const { json } = await models.ask({
      role: 'answer',
      prompts: [prompt],
      messages: [{ role: 'user', content }],
      output: { name: 'answer', schema: z.toJSONSchema(answerSchema) as Record<string, unknown> },
      maxTokens: ANSWER_TOKENS_MAX,
      signal: AbortSignal.timeout(MODEL_MS),
      incidentId: incident?.id ?? null,
    });
    const parsed = answerSchema.safeParse(json);
    if (!parsed.success) return null;
    const holds = parsed.data.citations.filter(({ evidence: ref, quote }) => {
      const cited = evidence.find((one) => one.ref === ref);
      return cited !== undefined && quoteOccurs(quote, cited.full ?? cited.content);
    });
    const said = paragraphs(parsed.data.answer);
    if (holds.length === 0) return `${said}\n\nNothing that was found supports this; take it as a guess.`;
    const sources = holds.map(({ evidence: ref, quote }) => {
      const title = evidence.find((one) => one.ref === ref)?.title ?? '';
      return `${ref} ${plain(title).slice(0, 100)}: “${plain(quote).slice(0, 150)}”`;
    });
    return `${said.slice(0, ANSWER_MAX - sources.join('\n').length - 12)}\n\nSources:\n${sources.join('\n')}`;
  } catch (error) {
    if (error instanceof NightshiftError) return null;
    throw error;
  }
}

/** The answer without a model: how the incident stands, and the passages that fit best, in their own words. */
function fromRows({ incident, evidence }: Case): string {
  const passages = evidence.filter(({ kind }) => kind !== 'tool').slice(-PASSAGES_MAX);
  const looks = evidence.filter(({ kind }) => kind === 'tool').slice(-PASSAGES_MAX);
  const excerpt = ({ ref, title, content }: Evidence) =>
    `${ref} ${plain(title)}\n${paragraphs(content).slice(0, PASSAGE_MAX)}`;
  const known = [
    ...(incident ? [describeIncident(incident).join('\n')] : []),
    ...looks.map(({ ref, title, content }) => `${ref} ${plain(title)}: ${plain(content)}`),
    ...passages.map(excerpt),
  ];
  if (known.length === 0) return 'No runbook and no past incident fits this question.';
  return ['No model answers here; this is what was found:', ...known].join('\n\n');
}

function describeIncident({ id, state, severity, title, context }: Incident): string[] {
  const { diagnosis, escalation, attempt } = context;
  return [
    `${incidentName(id)} ${plain(title)}: ${state}, severity ${plain(severity)}, attempt ${attempt}`,
    ...(diagnosis
      ? [
          `Diagnosis (confidence ${diagnosis.confidence}${diagnosis.inconclusive ? ', inconclusive' : ''}): ${plain(diagnosis.rootCause)}`,
        ]
      : []),
    ...(state === 'escalated' && escalation ? [`Needs a person: ${plain(escalation.reason)}`] : []),
  ];
}

/** Makes text of others plain, as `plain` does, but keeps its lines and its length. */
function paragraphs(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]+/gu, ' ').trimEnd());
  return lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}
