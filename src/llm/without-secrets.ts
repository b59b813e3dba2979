import { redactForModel, redactValueForModel } from '../telemetry/index.ts';
import type { AssistantMessage, ModelMessage, ModelRequest, UserMessage } from './model.ts';

/** Of one tool's result, in characters; whoever wants more of it asks again, more narrowly. */
const RESULT_MAX = 64 * 1024;

/**
 * Gives the request as it may leave the process: with `[redacted:TYPE#ID]` for each secret in messages, tool results and descriptions,
 * each tool result cut to 65,536 characters. Schemas of tools are ours and stay as they are.
 */
export function withoutSecrets(request: ModelRequest): ModelRequest {
  return {
    ...request,
    messages: request.messages.map(messageWithoutSecrets),
    ...(request.tools
      ? { tools: request.tools.map((tool) => ({ ...tool, description: redactForModel(tool.description) })) }
      : {}),
  };
}

function messageWithoutSecrets(message: ModelMessage): ModelMessage {
  return message.role === 'user' ? userMessage(message) : assistantMessage(message);
}

function userMessage({ content, toolResults, ...rest }: UserMessage): UserMessage {
  return {
    ...rest,
    content: redactForModel(content),
    ...(toolResults
      ? {
          toolResults: toolResults.map((result) => ({
            ...result,
            content: redactForModel(result.content, RESULT_MAX),
          })),
        }
      : {}),
  };
}

function assistantMessage({ content, toolCalls, original, ...rest }: AssistantMessage): AssistantMessage {
  return {
    ...rest,
    content: redactForModel(content),
    ...(toolCalls
      ? { toolCalls: toolCalls.map((call) => ({ ...call, arguments: redactValueForModel(call.arguments) })) }
      : {}),
    // It is signed, so it goes back unchanged or not at all.
    ...(original && isClean(original.content) ? { original } : {}),
  };
}

function isClean(value: unknown): boolean {
  return JSON.stringify(redactValueForModel(value)) === JSON.stringify(value);
}
