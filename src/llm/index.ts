/** The language models: one way to ask whichever of them answers, and the versioned prompts. Never acts on an answer and never trusts one. */
export { type ModelCall, modelCallsOf } from './calls.ts';
export type { Clock } from './clock.ts';
export { createVectors, type Vectors } from './embed.ts';
export { splitFrontMatter } from './front-matter.ts';
export { createModels, type Gateway } from './gateway.ts';
export type {
  AssistantMessage,
  Degraded,
  ModelAnswer,
  ModelMessage,
  ModelRequest,
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
export { spentOnIncident } from './spending.ts';
export type { ModelState, ModelsState } from './state.ts';
export { toolNames } from './tool-names.ts';
