/**
 * A question to the models as OpenTelemetry's conventions for generative AI show it: one span, whoever answers in the end.
 * @see https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md
 */
import type { ModelConfig } from '../config/index.ts';
import { type Span, withSpan } from '../telemetry/index.ts';
import type { ModelAnswer, ModelMessage, ModelRequest } from './model.ts';

interface Named {
  readonly name: string;
  readonly config: Pick<ModelConfig, 'provider' | 'model'>;
}

const FINISH_REASONS = {
  end: 'stop',
  tool_calls: 'tool_call',
  length: 'length',
  refusal: 'content_filter',
  other: 'other',
};

/** Tells the span of a question which model is asked first. */
export type AskedFirst = (first: Named | undefined) => void;

/** Asks within a span. `endpoints` are all that could answer; `ask` says which of them comes first. @throws whatever `ask` throws. */
export async function traceQuestion(
  request: ModelRequest,
  endpoints: readonly Named[],
  ask: (askedFirst: AskedFirst) => Promise<ModelAnswer>,
): Promise<ModelAnswer> {
  const attributes = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.output.type': request.output ? 'json' : 'text',
    'gen_ai.request.max_tokens': request.maxTokens,
    'nightshift.role': request.role,
    'nightshift.prompts': request.prompts.map(({ name, version }) => `${name}@${version}`),
  };
  return withSpan('chat', { kind: 'client', attributes }, async (span) => {
    span.setContent(() => asked(request));
    const answer = await ask((first) => {
      if (!first) return;
      span.rename(`chat ${first.config.model}`);
      span.set({ 'gen_ai.request.model': first.config.model, 'gen_ai.provider.name': first.config.provider });
    });
    const answering = endpoints.find(({ name }) => name === answer.model);
    describeAnswer(span, answer, answering);
    return answer;
  });
}

function describeAnswer(span: Span, answer: ModelAnswer, answering: Named | undefined): void {
  const { usage } = answer;
  const finishReason = FINISH_REASONS[answer.stopReason];
  // A stored answer was counted and paid for when it was given.
  const isCounted = usage.inputTokens + usage.outputTokens > 0;
  span.set({
    'gen_ai.provider.name': answering?.config.provider,
    'gen_ai.response.model': answering?.config.model ?? answer.model,
    'gen_ai.response.finish_reasons': [finishReason],
    'gen_ai.usage.input_tokens': isCounted ? usage.inputTokens : null,
    'gen_ai.usage.output_tokens': isCounted ? usage.outputTokens : null,
    'gen_ai.usage.cache_read.input_tokens': isCounted ? usage.cachedInputTokens : null,
    'nightshift.model': answer.model,
    'nightshift.cost_usd': answer.costUsd,
    'nightshift.degraded': answer.degraded,
    'nightshift.failed_over': answer.failedOver.length > 0 ? answer.failedOver : null,
  });
  span.setContent(() => ({
    'gen_ai.output.messages': [{ ...messageOf(answer.turn), finish_reason: finishReason }],
  }));
}

function asked({ prompts, messages }: ModelRequest): Record<string, unknown> {
  return {
    'gen_ai.system_instructions': prompts.map(({ text }) => ({ type: 'text', content: text })),
    'gen_ai.input.messages': messages.flatMap((message) =>
      message.role === 'user' && message.toolResults
        ? [...message.toolResults.map(resultOf), ...(message.content === '' ? [] : [messageOf(message)])]
        : [messageOf(message)],
    ),
  };
}

function messageOf(message: ModelMessage) {
  const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : [];
  return {
    role: message.role,
    parts: [
      ...(message.content === '' ? [] : [{ type: 'text', content: message.content }]),
      ...calls.map(({ id, name, arguments: given }) => ({ type: 'tool_call', id, name, arguments: given })),
    ],
  };
}

function resultOf({ id, content }: { readonly id: string; readonly content: string }) {
  return { role: 'tool', parts: [{ type: 'tool_call_response', id, response: content }] };
}
