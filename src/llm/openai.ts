/** OpenAI's Chat Completions API through its SDK, which many other servers speak too. See https://platform.openai.com/docs/api-reference/chat */
import type OpenAI from 'openai';
import { z } from 'zod';
import type { ModelConfig } from '../config/index.ts';
import type { ModelMessage, ModelRequest, StopReason, ToolCall } from './model.ts';
import { argumentsOf, argumentsText, openaiClient } from './openai-client.ts';
import type { Provider, Question, Reply } from './provider.ts';
import type { ToolNames } from './tool-names.ts';

type Message = OpenAI.Chat.ChatCompletionMessageParam;

const count = z.number().int().min(0).nullish();
const replySchema = z.looseObject({
  choices: z
    .array(
      z.looseObject({
        finish_reason: z.string().nullish(),
        message: z.looseObject({
          content: z.string().nullish(),
          refusal: z.string().nullish(),
          tool_calls: z
            .array(
              z.looseObject({
                id: z.string().nullish(),
                function: z.looseObject({ name: z.string().min(1), arguments: z.unknown() }),
              }),
            )
            .nullish(),
        }),
      }),
    )
    .min(1),
  usage: z
    .looseObject({
      prompt_tokens: count,
      completion_tokens: count,
      prompt_tokens_details: z.looseObject({ cached_tokens: count, cache_write_tokens: count }).nullish(),
    })
    .nullish(),
});

const STOP_REASONS: Record<string, StopReason> = {
  stop: 'end',
  tool_calls: 'tool_calls',
  length: 'length',
  content_filter: 'refusal',
};

/** Makes a provider that speaks Chat Completions with OpenAI, or with the compatible server at `baseUrl`. */
export function openaiProvider(config: ModelConfig): Provider {
  const { client, baseURL, cacheKeyOf } = openaiClient(config);
  const limit = limitNameOf(baseURL);
  return async (question, { signal, onHeaders }) => {
    const body = { ...bodyOf(question, config), [limit]: question.request.maxTokens, ...cacheKeyOf(question) };
    const { data, response } = await client.chat.completions.create(body, { signal }).withResponse();
    onHeaders(response.headers);
    return replyOf(data, question.toolNames);
  };
}

/** OpenAI's newer models know only the new name of the limit, and many compatible servers only the old one. */
function limitNameOf(baseURL: string): 'max_completion_tokens' | 'max_tokens' {
  return /(^|\.)openai(\.azure)?\.com$/.test(new URL(baseURL).hostname) ? 'max_completion_tokens' : 'max_tokens';
}

function bodyOf(
  { request, system, toolNames, output }: Question,
  config: ModelConfig,
): OpenAI.Chat.ChatCompletionCreateParamsNonStreaming {
  const { tools = [] } = request;
  return {
    model: config.model,
    messages: [
      ...(system ? [{ role: 'system' as const, content: system }] : []),
      ...request.messages.flatMap((message) => messagesOf(message, toolNames)),
    ],
    ...(tools.length > 0
      ? { tools: tools.map((tool) => toolOf(tool, toolNames)), tool_choice: request.toolChoice ?? 'auto' }
      : {}),
    ...(output ? { response_format: { type: 'json_schema', json_schema: { ...output, strict: true } } } : {}),
  };
}

function toolOf(
  { name, description, inputSchema }: NonNullable<ModelRequest['tools']>[number],
  names: ToolNames,
): OpenAI.Chat.ChatCompletionTool {
  return { type: 'function', function: { name: names.toWire(name), description, parameters: { ...inputSchema } } };
}

function messagesOf(message: ModelMessage, names: ToolNames): Message[] {
  if (message.role === 'user') {
    const results = (message.toolResults ?? []).map(
      ({ id, content, isError }): Message => ({
        role: 'tool',
        tool_call_id: id,
        content: isError ? `The call failed: ${content}` : content,
      }),
    );
    return message.content || results.length === 0 ? [...results, { role: 'user', content: message.content }] : results;
  }
  const calls = (message.toolCalls ?? []).map((call) => callOf(call, names));
  return [{ role: 'assistant', content: message.content || null, ...(calls.length > 0 ? { tool_calls: calls } : {}) }];
}

function callOf(
  { id, name, arguments: value }: ToolCall,
  names: ToolNames,
): OpenAI.Chat.ChatCompletionMessageFunctionToolCall {
  return { id, type: 'function', function: { name: names.toWire(name), arguments: argumentsText(value) } };
}

function replyOf(completion: unknown, names: ToolNames): Reply {
  const { choices, usage } = replySchema.parse(completion);
  // The schema asks for at least one choice.
  const [choice] = choices as [(typeof choices)[number]];
  const { content, refusal, tool_calls: calls } = choice.message;
  const stopReason = refusal ? 'refusal' : (STOP_REASONS[choice.finish_reason ?? ''] ?? 'other');
  return {
    text: content ?? '',
    toolCalls: (calls ?? []).map((call, index) => ({
      id: call.id || `call_${index + 1}`,
      name: names.fromWire(call.function.name),
      arguments: argumentsOf(call.function.arguments),
    })),
    stopReason,
    usage: {
      inputTokens: usage?.prompt_tokens ?? 0,
      outputTokens: usage?.completion_tokens ?? 0,
      cachedInputTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
    },
    cacheWriteTokens: usage?.prompt_tokens_details?.cache_write_tokens ?? 0,
    ...(choice.finish_reason === 'content_filter' ? { refusal: 'content_filter' } : {}),
  };
}
