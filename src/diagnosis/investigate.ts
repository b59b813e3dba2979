import { messageOf, NightshiftError } from '../errors.ts';
import { type NewEvent, type Note, plain, type Work } from '../incident/index.ts';
import { loadPrompt, type ModelMessage, type ToolResult } from '../llm/index.ts';
import type { Call, Catalogue } from '../mcp-tools/index.ts';
import { fitCase, tokensOf } from './context.ts';
import { fence } from './describe.ts';
import { type CallDependencies, makeCalls, shownItem } from './make-calls.ts';
import { marked, nameOf } from './make-look.ts';
import { type Offered, offerTools } from './offered-tools.ts';
import type { Specialist } from './specialists.ts';
import type { Evidence } from './store.ts';

const ANSWER_TOKENS_MAX = 1_500;
/** What functions and an answer may take of the window of the smallest model, as shares. */
const TOOLS_SHARE = 0.33;
const ANSWER_SHARE = 0.125;
/** Estimates are on the safe side by about this factor, and what a bound allows must not be wasted on that. */
const ESTIMATED = 1.5;
/** In tokens; with less than this a question says too little to be worth asking. */
const WINDOW_MIN = 12_000;
const SAID_MAX = 1_500;
const SAYS_MAX = 300;

/** How far an investigation may go: calls of the model, tokens of all of them, and until when, in milliseconds since 1970. */
export interface Bounds {
  readonly steps: number;
  readonly tokens: number;
  readonly endsAt: number;
}

export interface Assignment {
  readonly evidence: readonly Evidence[];
  readonly specialist: Specialist;
  readonly bounds: Bounds;
  /** What it is to find out, where a lead asks; the whole incident otherwise. */
  readonly question?: string;
  /** Tells several investigations of one incident apart in the journal. */
  readonly key?: string;
  /** The number of the first item of evidence that it may add; an earlier time that the incident was open has some too. */
  readonly firstNumber: number;
}

export interface Investigated {
  readonly evidence: readonly Evidence[];
  readonly notes: readonly Note[];
  readonly events: readonly NewEvent[];
  /** What the model said at its end; untrusted, and no evidence. */
  readonly said: string;
}

export interface InvestigateDependencies extends CallDependencies {
  readonly catalogue: Catalogue;
}

/**
 * Lets a model look further with read-only tools until it knows enough or a bound is met. What it asks for is checked against the alerts'
 * scope, made through `Look` alone, and becomes evidence; each question and each look is journalled, so that a crash repeats none.
 */
export async function investigate(
  work: Work,
  assignment: Assignment,
  dependencies: InvestigateDependencies,
): Promise<Investigated> {
  const { specialist, bounds, question, key = 'investigate' } = assignment;
  const { models, catalogue } = dependencies;
  // Each step sends everything again, so a step may take no more than its share of all tokens.
  const share = Math.max(WINDOW_MIN, (ESTIMATED * bounds.tokens) / Math.max(1, bounds.steps));
  const contextTokens = Math.floor(Math.min(models.contextTokensFor('investigate'), share));
  const answerTokens = Math.min(ANSWER_TOKENS_MAX, Math.floor(contextTokens * ANSWER_SHARE));
  const prompts = [loadPrompt('investigate'), specialist.prompt];
  const offered = offerTools(catalogue, { alerts: work.alerts, specialist, tokens: contextTokens * TOOLS_SHARE });
  const end = (why: string, more: object = {}): NewEvent => {
    const data = { specialist: specialist.name, ...(question === undefined ? {} : { question }), ended: why, ...more };
    return { type: 'investigation.ended', actor: 'nightshift', data };
  };
  if (!offered.canLook)
    return { evidence: [], notes: [], events: [end('there is nothing to look at for these alerts')], said: '' };

  const fixed =
    tokensOf(JSON.stringify(offered.specs)) + prompts.reduce((sum, { text }) => sum + tokensOf(text), 0) + answerTokens;
  const items = new Map(assignment.evidence.map((one) => [one.ref, one]));
  const known = new Map(
    assignment.evidence.flatMap((one) => (one.kind === 'tool' ? [[nameOfOrigin(one), one.ref]] : [])),
  );
  let number = assignment.firstNumber;
  const found: Evidence[] = [];
  const events: NewEvent[] = [];
  const signal = AbortSignal.any([work.abort, AbortSignal.timeout(Math.max(1, bounds.endsAt - Date.now()))]);
  // A third of the window stays for the conversation; when that is full it begins anew, with what was found as evidence.
  const begin = (): ModelMessage[] => {
    const room = { contextTokens, reservedTokens: fixed + Math.floor((contextTokens - fixed) / 3) };
    return [
      { role: 'user', content: fitCase(work.alerts, [...items.values()], room, furtherWords(offered, question)).text },
    ];
  };
  let messages = begin();
  const total = { tokens: 0, costUsd: 0, steps: 0 };
  let ended = `the bound of ${bounds.steps} steps is met`;
  let said = '';
  let model = '';

  for (let step = 1; step <= bounds.steps; step += 1) {
    if (fixed + sizeOf(messages) > contextTokens) messages = begin();
    const next = fixed + sizeOf(messages);
    if (next > contextTokens) {
      ended = 'the window of the model is full';
      break;
    }
    if (total.tokens + (next - answerTokens) / ESTIMATED > bounds.tokens) {
      ended = `the bound of ${bounds.tokens} tokens is met`;
      break;
    }
    try {
      const answer = await work.journal(`${key} ${step}`, () =>
        models.ask({
          role: 'investigate',
          prompts,
          messages,
          tools: offered.specs,
          toolChoice: 'auto',
          maxTokens: answerTokens,
          signal,
          incidentId: work.incident.id,
        }),
      );
      model = answer.model;
      total.steps = step;
      total.tokens += answer.usage.inputTokens + answer.usage.outputTokens;
      total.costUsd += answer.costUsd ?? 0;
      if (answer.toolCalls.length === 0) {
        said = answer.text;
        ended = 'the model knows enough';
        break;
      }
      const secondsLeft = (bounds.endsAt - Date.now()) / 1000;
      const came = await makeCalls(
        work,
        answer.toolCalls,
        { offered, items, known, secondsLeft, signal },
        dependencies,
      );
      for (const { seen } of came) {
        if (!seen?.found || known.has(seen.name)) continue;
        const item: Evidence = marked({ ref: `E${number}`, ...seen.found });
        number += 1;
        found.push(item);
        items.set(item.ref, item);
        known.set(seen.name, item.ref);
      }
      const results = came.map(({ result, seen }, index): ToolResult => {
        const ref = seen && known.get(seen.name);
        return { id: answer.toolCalls[index]?.id ?? '', ...(ref ? shownItem(items, ref) : result(items)) };
      });
      const calls = came.map(({ event, seen }) => ({
        ...event,
        ...(seen && known.has(seen.name) ? { came: known.get(seen.name) } : {}),
      }));
      const data = { step, specialist: specialist.name, model, says: plain(answer.text).slice(0, SAYS_MAX), calls };
      events.push({
        type: 'investigation.step',
        actor: 'nightshift',
        data: { ...data, ...(question === undefined ? {} : { question }) },
      });
      messages.push(answer.turn, { role: 'user', content: '', toolResults: results });
    } catch (error) {
      if (work.abort.aborted || !(error instanceof NightshiftError)) throw error;
      ended = signal.aborted ? 'the bound of seconds is met' : messageOf(error);
      break;
    }
    if (Date.now() >= bounds.endsAt) {
      ended = 'the bound of seconds is met';
      break;
    }
  }
  const shown = plain(said).slice(0, SAID_MAX);
  events.push(end(ended, { model, ...total, found: found.map(({ ref, title }) => ({ ref, title })), said: shown }));
  return { evidence: found, notes: [], events, said: said.slice(0, SAID_MAX) };
}

function furtherWords({ leftOut }: Offered, question: string | undefined): string {
  return [
    ...(question === undefined
      ? []
      : [`You are asked to find out this, and nothing else:\n${fence('question', question)}`]),
    ...(leftOut.length > 0 ? [`There was no room to offer: ${leftOut.join(', ')}.`] : []),
  ].join('\n\n');
}

function sizeOf(messages: readonly ModelMessage[]): number {
  return messages.reduce((sum, message) => sum + tokensOf(JSON.stringify({ ...message, original: undefined })), 0);
}

function nameOfOrigin({ origin }: Evidence): string {
  return nameOf(origin as unknown as Pick<Call, 'instance' | 'tool' | 'arguments'>);
}
