/** The language models: one way to ask whichever of them answers, and the versioned prompts. Never acts on an answer and never trusts one. */
export { createModels } from './ask.ts';
export { createVectors, type Vectors } from './embed.ts';
export type {
  AssistantMessage,
  ModelAnswer,
  ModelMessage,
  ModelRequest,
  ModelRole,
  Models,
  OutputSpec,
  StopReason,
  TokenUsage,
  ToolCall,
  ToolResult,
  ToolSpec,
  UserMessage,
} from './model.ts';
export { loadPrompt, type Prompt, parsePrompt } from './prompts.ts';
