import { z } from 'zod';
import type { Alert } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import type { Diagnosis, NewEvent, Stage, Work } from '../incident/index.ts';
import { loadPrompt, type ModelMessage, type Models } from '../llm/index.ts';
import { findInstructions } from '../rag/index.ts';
import { critique } from './critique.ts';
import { type Evidence, evidenceOf } from './store.ts';

const ROUNDS_MAX = 2;
const ANSWER_TOKENS_MAX = 2000;
const QUOTE_MAX = 240;

/** What the model must answer with; one schema for the request, the validation and the type. */
const answerSchema = z.strictObject({
  root_cause: z.string().min(1).max(2000),
  confidence: z.enum(['high', 'medium', 'low']),
  citations: z.array(z.strictObject({ evidence: z.string(), quote: z.string().min(1).max(1000) })).max(20),
  ruled_out: z
    .array(z.strictObject({ hypothesis: z.string(), why: z.string(), evidence: z.string().nullable() }))
    .max(20),
  unknowns: z.array(z.string()).max(20),
  inconclusive: z.boolean(),
});

/** Makes the stage that says what is the matter, by a model where one is configured, by the runbook's own words otherwise. */
export function createDiagnose({ db, models }: { db: Database; models: Models }): Stage {
  return async (work) => {
    const evidence = await evidenceOf(db, work.incident.id, work.incident.cycle);
    const events: NewEvent[] = [];
    let diagnosis: Diagnosis | null = null;
    if (models.names.length > 0) {
      const asked = await askModel(work, evidence, models);
      events.push(...asked.events);
      diagnosis = asked.diagnosis;
    }
    diagnosis ??= fromRunbook(evidence, work.incident.context.lateEvidence);
    events.push({ type: 'diagnosis.made', actor: 'nightshift', data: { ...diagnosis } });
    return { state: 'diagnosed', context: { diagnosis }, events };
  };
}

interface Asked {
  readonly diagnosis: Diagnosis | null;
  readonly events: NewEvent[];
}

async function askModel(work: Work, evidence: readonly Evidence[], models: Models): Promise<Asked> {
  const fits = evidence.some(({ kind }) => kind === 'runbook');
  const note = fits ? '' : '\n\nNo runbook fits this alert.';
  const messages: ModelMessage[] = [{ role: 'user', content: describeCase(work.alerts, evidence) + note }];
  const output = { name: 'diagnosis', schema: z.toJSONSchema(answerSchema) as Record<string, unknown> };
  let model = '';
  let problems: string[] = [];
  try {
    const prompt = loadPrompt('diagnose');
    for (let round = 1; round <= ROUNDS_MAX; round += 1) {
      const answer = await work.journal(`model ${round}`, () =>
        models.ask({
          role: 'diagnose',
          system: prompt.text,
          messages,
          output,
          maxTokens: ANSWER_TOKENS_MAX,
          signal: work.abort,
        }),
      );
      model = `${answer.provider}/${answer.model}`;
      const parsed = answerSchema.safeParse(answer.json);
      const checked = parsed.success
        ? critique(toDiagnosis(parsed.data, model), evidence)
        : { problems: [z.prettifyError(parsed.error)], diagnosis: null };
      problems = checked.problems;
      const last = round === ROUNDS_MAX;
      if (problems.length === 0 || (last && checked.diagnosis)) {
        const data = {
          role: 'diagnose',
          model,
          prompt: prompt.sha256,
          rounds: round,
          dropped: problems,
          usage: answer.usage,
          failedOver: answer.failedOver,
        };
        return { diagnosis: checked.diagnosis, events: [{ type: 'model.answered', actor: 'nightshift', data }] };
      }
      messages.push({ role: 'assistant', content: answer.text || JSON.stringify(answer.json) });
      messages.push({
        role: 'user',
        content: `That answer cannot be used:\n${problems.join('\n')}\nAnswer again, corrected.`,
      });
    }
    throw new NightshiftError('llm_failed', `${model} gave no usable diagnosis: ${problems.join('; ')}`);
  } catch (error) {
    // A database that does not answer is no fault of the model: the stage fails, and its answer is not paid for again.
    if (work.abort.aborted || !(error instanceof NightshiftError)) throw error;
    const data = { role: 'diagnose', error: messageOf(error), instead: 'runbook mode' };
    return { diagnosis: null, events: [{ type: 'model.failed', actor: 'nightshift', data }] };
  }
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

/** Writes the alerts and the evidence for a model, every untrusted text inside a fence that its own content cannot close. */
export function describeCase(alerts: readonly Alert[], evidence: readonly Evidence[]): string {
  const shown = alerts.map(({ status, labels, annotations, startsAt }) =>
    JSON.stringify({ status, startsAt, labels, annotations }),
  );
  const items = evidence.map(({ ref, kind, title, content }) =>
    fence(`evidence id="${ref}" kind="${kind}" title=${JSON.stringify(title.replace(/[<>]/g, ''))}`, content),
  );
  const texts = alerts.flatMap(({ labels, annotations }) => [...Object.values(labels), ...Object.values(annotations)]);
  const flagged = texts.some((text) => findInstructions(text).length > 0);
  return [fence(flagged ? 'alerts holds="instruction-like text"' : 'alerts', shown.join('\n')), ...items].join('\n\n');
}

/** Puts text of others between tags that it cannot close. */
export function fence(tag: string, content: string): string {
  return `<${tag}>\n${content.replaceAll('<', '‹')}\n</${tag.split(' ')[0]}>`;
}

/** The diagnosis without a model: what the best-fitting runbook and the looks say, quoted; nothing is inferred. */
export function fromRunbook(evidence: readonly Evidence[], missing: readonly string[]): Diagnosis {
  const runbooks = evidence.filter(({ kind }) => kind === 'runbook');
  const runbook = runbooks.find((one) => !isFlagged(one)) ?? runbooks[0];
  const past = evidence.find(({ kind }) => kind === 'past_incident');
  const looks = evidence.filter(({ kind }) => kind === 'tool');
  const cite = ({ ref, content }: Evidence) => ({ evidence: ref, quote: firstSentence(content) });
  const base = {
    mode: 'runbook' as const,
    model: null,
    ruledOut: [],
    citations: [...(runbook ? [cite(runbook)] : []), ...(past ? [cite(past)] : []), ...looks.map(cite)],
  };
  if (!runbook) {
    return {
      ...base,
      rootCause: 'Unknown: no runbook fits this alert.',
      confidence: 'low',
      inconclusive: true,
      unknowns: ['what is the matter: no runbook fits, and no model is asked', ...missing],
    };
  }
  const flagged = isFlagged(runbook);
  const matched = !flagged && (runbook.origin.why as { matched?: boolean } | undefined)?.matched === true;
  return {
    ...base,
    rootCause: `As the runbook ${runbook.title} describes: ${firstSentence(runbook.content)}`,
    confidence: matched ? 'medium' : 'low',
    inconclusive: !matched,
    unknowns: [
      ...(flagged ? ['whether this runbook can be trusted: it holds instruction-like text'] : []),
      ...(matched || flagged
        ? []
        : ['whether this runbook is the right one: it was found by its words, and declares no match for this alert']),
      ...missing,
    ],
  };
}

function isFlagged({ origin }: Evidence): boolean {
  return Array.isArray(origin.flags) && origin.flags.length > 0;
}

function firstSentence(text: string): string {
  const plain = text.replace(/^#+ .*$/gm, '').trim() || text.trim();
  const sentence = /^[\s\S]*?[.!?](?=\s|$)/.exec(plain)?.[0] ?? plain;
  return sentence.slice(0, QUOTE_MAX).trim();
}
