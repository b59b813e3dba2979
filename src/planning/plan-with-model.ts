import { type Alert, commonLabels } from '../alert/index.ts';
import { type Evidence, fence, fitCase, tokensOf } from '../diagnosis/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import type { NewEvent, Work } from '../incident/index.ts';
import { loadPrompt, type ModelAnswer, type ModelMessage, type Models } from '../llm/index.ts';
import type { Catalogue } from '../mcp-tools/index.ts';
import type { Action, DraftAction } from './action.ts';
import { type Bounds, offeredTools } from './offer.ts';
import { sortCalls } from './sort-calls.ts';

const ROUNDS_MAX = 2;
const ANSWER_TOKENS_MAX = 2000;

interface Case {
  readonly firing: readonly Alert[];
  readonly evidence: readonly Evidence[];
  readonly tried: readonly Action[];
  readonly catalogue: Catalogue;
  readonly models: Models;
  readonly bounds: Bounds;
}

interface Planned {
  /** Null when no model answered, so that the runbooks' own remedies are used instead. */
  readonly draft: { readonly origin: string; readonly actions: DraftAction[]; readonly notes: string[] } | null;
  readonly events: NewEvent[];
}

/**
 * Lets the model choose among the tools that the policy could ever allow for these alerts, by function calling. Calls that do not fit go
 * back once, each with its exact error, and are then dropped and recorded. How sure the model is, is never read.
 */
export async function planWithModel(
  work: Work,
  { firing, evidence, tried, catalogue, models, bounds }: Case,
): Promise<Planned> {
  const offered = offeredTools(catalogue, firing, bounds);
  // Nothing that a model could say would come to anything.
  if (offered.specs.length === 0) return { draft: null, events: [] };
  const labels = commonLabels(firing.map((alert) => alert.labels));
  const bar = { labels, alerts: work.alerts, catalogue, offered, policy: bounds.policy, tried };
  const sentBack: string[] = [];
  try {
    const prompt = loadPrompt('plan');
    const asked = tokensOf(prompt.text) + tokensOf(JSON.stringify(offered.specs));
    const room = {
      contextTokens: models.contextTokensFor('plan'),
      // The calls of the first round come again in the second, each with what is wrong with it.
      reservedTokens: asked + ROUNDS_MAX * ANSWER_TOKENS_MAX,
    };
    const { text } = fitCase(work.alerts, evidence, room, describe(work, tried));
    const messages: ModelMessage[] = [{ role: 'user', content: text }];
    for (let round = 1; ; round += 1) {
      const answer = await work.journal(`model ${round}`, () =>
        models.ask({
          role: 'plan',
          prompts: [prompt],
          messages,
          tools: offered.specs,
          toolChoice: 'auto',
          maxTokens: ANSWER_TOKENS_MAX,
          signal: work.abort,
          incidentId: work.incident.id,
        }),
      );
      const { actions, problems, results } = sortCalls(answer, bar);
      if (problems.length === 0 || round === ROUNDS_MAX || isTooLong(answer)) {
        const { model, usage, failedOver, degraded } = answer;
        const record = { role: 'plan', model, prompt: prompt.sha256, rounds: round, sentBack, dropped: problems };
        const data = { ...record, usage, failedOver, degraded };
        const notes = problems.map((problem) => `dropped: ${problem}`);
        return {
          draft: { origin: `model:${model}`, actions, notes },
          events: [{ type: 'model.answered', actor: 'nightshift', data }],
        };
      }
      sentBack.push(...problems);
      messages.push(answer.turn, { role: 'user', content: AGAIN, toolResults: results });
    }
  } catch (error) {
    // A database that does not answer is no fault of the model: the stage fails, and its answer is not paid for again.
    if (work.abort.aborted || !(error instanceof NightshiftError)) throw error;
    const data = { role: 'plan', error: messageOf(error), instead: 'runbook mode' };
    return { draft: null, events: [{ type: 'model.failed', actor: 'nightshift', data }] };
  }
}

/** What is far beyond what was asked for does not fit into the question once more. */
function isTooLong({ turn }: ModelAnswer): boolean {
  return tokensOf(JSON.stringify([turn.content, turn.toolCalls ?? []])) > 4 * ANSWER_TOKENS_MAX;
}

const AGAIN = 'Some of those calls cannot be used. Propose the whole plan again, corrected, with the calls that fit.';

function describe(work: Work, tried: readonly Action[]): string {
  const diagnosis = JSON.stringify(work.incident.context.diagnosis);
  const failed = tried.map(({ tool, arguments: args, status }) => `${tool} ${JSON.stringify(args)} (${status})`);
  const history =
    failed.length > 0
      ? `Already tried on this incident without success, not to be proposed again:\n${fence('tried', failed.join('\n'))}`
      : 'Nothing was tried yet.';
  return `Diagnosis:\n${fence('diagnosis', diagnosis)}\n\n${history}`;
}
