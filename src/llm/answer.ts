/** What makes a reply an answer that can be used, and the answer's form for whoever asked. */
import { ModelFailure } from './failure.ts';
import type { ModelAnswer, StopReason } from './model.ts';
import type { Question, Reply } from './provider.ts';

/** Gives the parsed JSON of an answer that can be used, null where none was asked for. @throws ModelFailure otherwise. */
export function usable(reply: Reply, { request, output }: Question): unknown {
  const { text, toolCalls, stopReason, refusal } = reply;
  if (stopReason === 'refusal') {
    const category = refusal && /^\w{1,40}$/.test(refusal) ? ` (${refusal})` : '';
    throw new ModelFailure('refused', `it refused to answer${category}`);
  }
  const cutOff = stopReason === 'length' ? `, cut off at the limit of ${request.maxTokens} tokens (maxTokens)` : '';
  // A call cut short can look whole and lack the argument that made it harmless.
  if (toolCalls.length > 0 && cutOff) throw new ModelFailure('invalid', `its tool calls may be incomplete${cutOff}`);
  if (toolCalls.length > 0) return null;
  if (request.toolChoice === 'required' && request.tools?.length) {
    throw new ModelFailure('empty', `it called no tool though it had to${cutOff}`);
  }
  if (text.trim() === '') throw new ModelFailure('empty', `its answer is empty${cutOff}`);
  if (!output) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new ModelFailure('invalid', `its answer is not the JSON asked for${cutOff}`);
  }
}

/** Makes the answer out of a model's reply. */
export function answerOf(
  model: string,
  { text, toolCalls, usage, original, stopReason: said }: Reply,
  rest: Pick<ModelAnswer, 'json' | 'durationMs' | 'failedOver' | 'costUsd' | 'degraded' | 'promptSha256'>,
): ModelAnswer {
  // Some servers say that they simply stopped when they stopped to call a tool.
  const stopReason: StopReason = toolCalls.length > 0 ? 'tool_calls' : said;
  return {
    model,
    text,
    toolCalls,
    stopReason,
    usage,
    ...rest,
    turn: {
      role: 'assistant',
      content: text,
      ...(toolCalls.length > 0 ? { toolCalls } : {}),
      ...(original === undefined ? {} : { original: { model, content: original } }),
    },
  };
}
