/** OpenAI's Responses API through its SDK; nothing is kept on its side. See https://platform.openai.com/docs/api-reference/responses */
import type OpenAI from 'openai';
import { z } from 'zod';
import { type ModelConfig, modelName } from '../config/index.ts';
import type { ModelMessage, ModelRequest, StopReason } from './model.ts';
import { argumentsOf, argumentsText, openaiClient } from './openai-client.ts';
import type { Provider, Question, Reply } from './provider.ts';
import type { ToolNames } from './tool-names.ts';

type Item = OpenAI.Responses.ResponseInputItem;

const count = z.number().int().min(0).nullish();
const replySchema = z.looseObject({
  status: z.string().nullish(),
  incomplete_details: z.looseObject({ reason: z.string().nullish() }).nullish(),
  output: z.array(z.looseObject({ type: z.string() })),
  usage: z
    .looseObject({
      input_tokens: count,
      output_tokens: count,
      input_tokens_details: z.looseObject({ cached_tokens: count, cache_write_tokens: count }).nullish(),
    })
    .nullish(),
});
const messageSchema = z.looseObject({
  content: z.array(z.looseObject({ type: z.string(), text: z.string().nullish(), refusal: z.string().nullish() })),
});
const callSchema = z.looseObject({ call_id: z.string().min(1), name: z.string().min(1), arguments: z.unknown() });

/** Makes a provider that speaks Responses with OpenAI, or with the compatible server at `baseUrl`. */
export function responsesProvider(config: ModelConfig): Provider {
  const { client, isOpenAi, cacheKeyOf } = openaiClient(config);
  // What a model thought must go back with its calls, and is not kept there; models before GPT-5 think nothing and refuse to be asked for it.
  const include: ['reasoning.encrypted_content'] | null =
    isOpenAi && !/^gpt-4/.test(config.model) ? ['reasoning.encrypted_content'] : null;
  return async (question, { signal, onHeaders }) => {
    const body = { ...bodyOf(question, config), ...cacheKeyOf(question), ...(include ? { include } : {}) };
    const { data, response } = await client.responses.create(body, { signal }).withResponse();
    onHeaders(response.headers);
    return replyOf(data, question.toolNames);
  };
}

function bodyOf(
  { request, system, toolNames, output }: Question,
  config: ModelConfig,
): OpenAI.Responses.ResponseCreateParamsNonStreaming {
  const { tools = [] } = request;
  return {
    model: config.model,
    store: false,
    max_output_tokens: request.maxTokens,
    ...(system ? { instructions: system } : {}),
    ...(tools.length > 0
      ? { tools: tools.map((tool) => toolOf(tool, toolNames)), tool_choice: request.toolChoice ?? 'auto' }
      : {}),
    ...(output ? { text: { format: { type: 'json_schema', ...output, strict: true } } } : {}),
    input: request.messages.flatMap((message) => itemsOf(message, toolNames, modelName(config))),
  };
}

function toolOf(
  { name, description, inputSchema }: NonNullable<ModelRequest['tools']>[number],
  names: ToolNames,
): OpenAI.Responses.FunctionTool {
  return { type: 'function', name: names.toWire(name), description, parameters: { ...inputSchema }, strict: false };
}

function itemsOf(message: ModelMessage, names: ToolNames, model: string): Item[] {
  if (message.role === 'user') {
    const results = (message.toolResults ?? []).map(
      ({ id, content, isError }): Item => ({
        type: 'function_call_output',
        call_id: id,
        output: isError ? `The call failed: ${content}` : content,
      }),
    );
    return message.content || results.length === 0 ? [...results, { role: 'user', content: message.content }] : results;
  }
  if (message.original?.model === model) return message.original.content as Item[];
  const calls = (message.toolCalls ?? []).map(
    ({ id, name, arguments: value }): Item => ({
      type: 'function_call',
      call_id: id,
      name: names.toWire(name),
      arguments: argumentsText(value),
    }),
  );
  return [...(message.content ? [{ role: 'assistant' as const, content: message.content }] : []), ...calls];
}

function replyOf(response: unknown, names: ToolNames): Reply {
  const { status, incomplete_details: incomplete, output, usage } = replySchema.parse(response);
  const parts = output.flatMap((item) => (item.type === 'message' ? messageSchema.parse(item).content : []));
  const calls = output.flatMap((item) => (item.type === 'function_call' ? [callSchema.parse(item)] : []));
  const isRefused = parts.some(({ refusal }) => refusal) || incomplete?.reason === 'content_filter';
  const cut: StopReason = status === 'incomplete' ? 'length' : 'other';
  return {
    text: parts.map(({ text }) => text ?? '').join(''),
    toolCalls: calls.map((call) => ({
      id: call.call_id,
      name: names.fromWire(call.name),
      arguments: argumentsOf(call.arguments),
    })),
    stopReason: isRefused ? 'refusal' : status === 'completed' ? 'end' : cut,
    usage: {
      inputTokens: usage?.input_tokens ?? 0,
      outputTokens: usage?.output_tokens ?? 0,
      cachedInputTokens: usage?.input_tokens_details?.cached_tokens ?? 0,
    },
    cacheWriteTokens: usage?.input_tokens_details?.cache_write_tokens ?? 0,
    ...(incomplete?.reason === 'content_filter' ? { refusal: 'content_filter' } : {}),
    // Its thoughts come back with the next question; a turn without any can be written anew by whoever goes on.
    ...(output.some(({ type }) => type === 'reasoning') ? { original: output } : {}),
  };
}
