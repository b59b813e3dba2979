import { z } from 'zod';
import type { Labels } from '../alert/index.ts';
import { describeCase, type Evidence } from '../diagnosis/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import type { NewEvent, Work } from '../incident/index.ts';
import { loadPrompt, type ModelAnswer, type ModelMessage, type Models, type ToolSpec } from '../llm/index.ts';
import type { Catalogue } from '../mcp-tools/index.ts';
import { callFingerprint } from '../rag/index.ts';
import type { Action, DraftAction } from './action.ts';

const ACTIONS_MAX = 8;
const ROUNDS_MAX = 2;
const ANSWER_TOKENS_MAX = 2000;

/** What the model says beside a tool's own arguments. */
const proposalSchema = z.strictObject({
  arguments: z.record(z.string(), z.unknown()),
  reason: z.string().min(1).max(1000),
  expected_effect: z.string().min(1).max(1000),
});

interface Case {
  readonly labels: Labels;
  readonly evidence: readonly Evidence[];
  readonly tried: readonly Action[];
  readonly catalogue: Catalogue;
  readonly models: Models;
}

interface Planned {
  /** Null when no model answered, so that the runbooks' own remedies are used instead. */
  readonly draft: { readonly origin: string; readonly actions: DraftAction[]; readonly notes: string[] } | null;
  readonly events: NewEvent[];
}

/**
 * Lets the model choose among the changing tools of the instances that are for this alert, by function calling.
 * A call that does not fit goes back once with the exact reason, and is then dropped and recorded.
 */
export async function planWithModel(
  work: Work,
  { labels, evidence, tried, catalogue, models }: Case,
): Promise<Planned> {
  const tools = offeredTools(catalogue, labels);
  const messages: ModelMessage[] = [{ role: 'user', content: describe(work, evidence, tried) }];
  let model = '';
  let sorted: ReturnType<typeof sort> = { actions: [], problems: [] };
  try {
    const prompt = loadPrompt('plan');
    for (let round = 1; round <= ROUNDS_MAX; round += 1) {
      const answer = await work.journal(`model ${round}`, () =>
        models.ask({
          role: 'plan',
          system: prompt.text,
          messages,
          tools,
          toolChoice: 'auto',
          maxTokens: ANSWER_TOKENS_MAX,
          signal: work.abort,
        }),
      );
      model = `${answer.provider}/${answer.model}`;
      sorted = sort(answer, { labels, catalogue, origin: `model:${model}` });
      if (sorted.problems.length === 0 || round === ROUNDS_MAX) {
        const data = {
          role: 'plan',
          model,
          prompt: prompt.sha256,
          rounds: round,
          dropped: sorted.problems,
          usage: answer.usage,
          failedOver: answer.failedOver,
        };
        const notes = sorted.problems.map((problem) => `dropped: ${problem}`);
        return {
          draft: { origin: `model:${model}`, actions: sorted.actions, notes },
          events: [{ type: 'model.answered', actor: 'nightshift', data }],
        };
      }
      messages.push({ role: 'assistant', content: answer.text || 'I proposed tool calls.' });
      messages.push({
        role: 'user',
        content: `Some of those calls cannot be used:\n${sorted.problems.join('\n')}\nPropose the whole plan again, corrected.`,
      });
    }
    return { draft: null, events: [] };
  } catch (error) {
    // A database that does not answer is no fault of the model: the stage fails, and its answer is not paid for again.
    if (work.abort.aborted || !(error instanceof NightshiftError)) throw error;
    const data = { role: 'plan', error: messageOf(error), instead: 'runbook mode' };
    return { draft: null, events: [{ type: 'model.failed', actor: 'nightshift', data }] };
  }
}

function offeredTools(catalogue: Catalogue, labels: Labels): ToolSpec[] {
  return catalogue.toolsFor(labels).flatMap(({ tool, instance }): ToolSpec[] => {
    if (tool.risk === 'read' || tool.risk === 'forbidden') return [];
    const wrapped = z.strictObject({
      arguments: tool.input,
      reason: proposalSchema.shape.reason,
      expected_effect: proposalSchema.shape.expected_effect,
    });
    const description = `${tool.description} Works on ${instance.name}. Undo: ${tool.undo}`;
    return [{ name: tool.name, description, inputSchema: z.toJSONSchema(wrapped) as Record<string, unknown> }];
  });
}

function sort(
  answer: ModelAnswer,
  { labels, catalogue, origin }: { labels: Labels; catalogue: Catalogue; origin: string },
): { actions: DraftAction[]; problems: string[] } {
  const actions = new Map<string, DraftAction>();
  const problems: string[] = [];
  for (const { name, arguments: args } of answer.toolCalls) {
    const proposal = proposalSchema.safeParse(args);
    if (!proposal.success) {
      problems.push(`${name}: ${z.prettifyError(proposal.error).replaceAll('\n', ' ')}`);
      continue;
    }
    const resolution = catalogue.resolve(name, proposal.data.arguments, labels);
    if (!resolution.ok) problems.push(`${name}: ${resolution.message}`);
    else if (resolution.call.risk === 'read') problems.push(`${name}: it only reads, so it is no remedy`);
    else if (actions.size >= ACTIONS_MAX) problems.push(`${name}: more than ${ACTIONS_MAX} actions`);
    else {
      const { call } = resolution;
      const fingerprint = callFingerprint(call);
      const { reason, expected_effect: expectedEffect } = proposal.data;
      actions.set(fingerprint, { call, labels, fingerprint, origin, reason, expectedEffect, undo: call.undo });
    }
  }
  return { actions: [...actions.values()], problems };
}

function describe(work: Work, evidence: readonly Evidence[], tried: readonly Action[]): string {
  const diagnosis = JSON.stringify(work.incident.context.diagnosis);
  const failed = tried.map(({ tool, arguments: args, status }) => `${tool} ${JSON.stringify(args)} (${status})`);
  const history =
    failed.length > 0
      ? `Already tried on this incident without success, not to be proposed again:\n${failed.join('\n')}`
      : 'Nothing was tried yet.';
  return `${describeCase(work.alerts, evidence)}\n\nDiagnosis:\n${diagnosis}\n\n${history}`;
}
