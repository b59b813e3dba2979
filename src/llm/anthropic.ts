/** Anthropic's Messages API through its SDK. See https://platform.claude.com/docs/en/api/messages */
import Anthropic from '@anthropic-ai/sdk';
import { z } from 'zod';
import { type ModelConfig, modelName, PROVIDERS } from '../config/index.ts';
import type { ModelMessage, ModelRequest, StopReason, ToolCall } from './model.ts';
import { NO_KEY, type Provider, type Question, type Reply } from './provider.ts';
import type { ToolNames } from './tool-names.ts';
import { modelFetch, withoutHeadersOfEnvironment } from './transport.ts';

const { baseUrl: BASE_URL } = PROVIDERS.anthropic;
/** What gateways and other servers of this protocol know, whatever the SDK is at. */
const OLD_VERSION = '2023-06-01';

const count = z.number().int().min(0).nullish();
const replySchema = z.looseObject({
  content: z.array(z.looseObject({ type: z.string() })),
  stop_reason: z.string().nullish(),
  stop_details: z.looseObject({ category: z.string().nullish() }).nullish(),
  usage: z
    .looseObject({
      input_tokens: count,
      output_tokens: count,
      cache_read_input_tokens: count,
      cache_creation_input_tokens: count,
    })
    .nullish(),
});
const textSchema = z.looseObject({ text: z.string() });
const toolUseSchema = z.looseObject({ id: z.string().min(1), name: z.string().min(1), input: z.unknown() });

const STOP_REASONS: Record<string, StopReason> = {
  end_turn: 'end',
  stop_sequence: 'end',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  refusal: 'refusal',
};

/** Makes a provider that speaks Anthropic's Messages API. */
export function anthropicProvider(config: ModelConfig): Provider {
  const baseURL = config.baseUrl ?? BASE_URL;
  const client = withoutHeadersOfEnvironment(
    () =>
      new Anthropic({
        apiKey: config.apiKey ?? NO_KEY,
        baseURL,
        timeout: config.timeoutSeconds * 1000,
        maxRetries: 0,
        fetch: modelFetch,
        defaultHeaders: headersFor(baseURL, config.apiKey),
        // Otherwise ANTHROPIC_LOG=debug in the environment would print prompts, and spans would be written twice.
        logLevel: 'off',
        openTelemetry: false,
      }),
  );
  return async (question, { signal, onHeaders }) => {
    const { data, response } = await client.messages.create(bodyOf(question, config), { signal }).withResponse();
    onHeaders(response.headers);
    return replyOf(data, question.toolNames);
  };
}

/** The SDK names a version of the protocol, and shows the key in a way, that only the provider itself is sure to know. */
function headersFor(baseURL: string, apiKey: string | undefined): Record<string, string> {
  if (new URL(baseURL).hostname === new URL(BASE_URL).hostname) return {};
  return { 'anthropic-version': OLD_VERSION, ...(apiKey ? { 'x-api-key': apiKey } : {}) };
}

function bodyOf(
  { request, system, toolNames, output }: Question,
  config: ModelConfig,
): Anthropic.MessageCreateParamsNonStreaming {
  const { tools = [] } = request;
  return {
    model: config.model,
    max_tokens: request.maxTokens,
    // The tools come before the system prompt in the cached prefix, so that one mark covers both.
    ...(system ? { system: [{ type: 'text', text: system, cache_control: { type: 'ephemeral' } }] } : {}),
    messages: request.messages.map((message) => messageOf(message, toolNames, modelName(config))),
    ...(tools.length > 0
      ? { tools: tools.map((tool) => toolOf(tool, toolNames)), tool_choice: toolChoiceOf(request.toolChoice) }
      : {}),
    ...(output ? { output_config: { format: { type: 'json_schema', schema: output.schema } } } : {}),
  };
}

function toolOf(
  { name, description, inputSchema }: NonNullable<ModelRequest['tools']>[number],
  names: ToolNames,
): Anthropic.Tool {
  return { name: names.toWire(name), description, input_schema: { ...inputSchema, type: 'object' } };
}

/**
 * The current models answer a forced choice with an error, so none is forced: an answer without a call counts as a failure anyway.
 * See https://platform.claude.com/docs/en/models/sonnet-5-5/whats-new-sonnet-5-5
 */
function toolChoiceOf(choice: ModelRequest['toolChoice']): Anthropic.ToolChoice {
  return { type: choice === 'none' ? 'none' : 'auto' };
}

function messageOf(message: ModelMessage, names: ToolNames, model: string): Anthropic.MessageParam {
  const text: Anthropic.TextBlockParam[] = message.content ? [{ type: 'text', text: message.content }] : [];
  if (message.role === 'user') {
    const results = (message.toolResults ?? []).map(
      ({ id, content, isError }): Anthropic.ToolResultBlockParam => ({
        type: 'tool_result',
        tool_use_id: id,
        content,
        is_error: isError ?? false,
      }),
    );
    return { role: 'user', content: [...results, ...text] };
  }
  // A model that thinks wants its signed thinking back unchanged in the same turn as its calls.
  if (message.original?.model === model)
    return { role: 'assistant', content: message.original.content as Anthropic.ContentBlockParam[] };
  const calls = (message.toolCalls ?? []).map(
    (call): Anthropic.ToolUseBlockParam => ({
      type: 'tool_use',
      id: call.id,
      name: names.toWire(call.name),
      input: inputOf(call),
    }),
  );
  return { role: 'assistant', content: [...text, ...calls] };
}

/** The protocol takes nothing but an object, though another provider's model may have written anything. */
function inputOf({ arguments: value }: ToolCall): Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : { invalid_arguments: value };
}

function replyOf(message: unknown, names: ToolNames): Reply {
  const { content, stop_reason: stop, stop_details: details, usage } = replySchema.parse(message);
  const toolCalls = content
    .filter(({ type }) => type === 'tool_use')
    .map((block) => toolUseSchema.parse(block))
    .map(({ id, name, input }): ToolCall => ({ id, name: names.fromWire(name), arguments: input }));
  const cached = usage?.cache_read_input_tokens ?? 0;
  const written = usage?.cache_creation_input_tokens ?? 0;
  return {
    text: content.flatMap((block) => (block.type === 'text' ? [textSchema.parse(block).text] : [])).join(''),
    toolCalls,
    stopReason: STOP_REASONS[stop ?? ''] ?? 'other',
    usage: {
      inputTokens: (usage?.input_tokens ?? 0) + written + cached,
      outputTokens: usage?.output_tokens ?? 0,
      cachedInputTokens: cached,
    },
    cacheWriteTokens: written,
    ...(stop === 'refusal' && details?.category ? { refusal: details.category } : {}),
    original: content,
  };
}
