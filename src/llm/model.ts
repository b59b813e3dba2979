/** What a model is asked and what it answers, in words that belong to no provider. */

import type { ModelRole } from '../config/index.ts';
import type { Prompt } from './prompts.ts';

/** A function that the model may call; `inputSchema` is a JSON schema of type `object`. */
export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

/** One call that the model wants made. Untrusted: neither the name nor the arguments were checked against what was offered. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** Parsed JSON; where the model's text was not JSON, that text as a string. */
  readonly arguments: unknown;
}

/** What came of a call, to be sent back under the call's id. */
export interface ToolResult {
  readonly id: string;
  readonly content: string;
  readonly isError?: boolean;
}

export interface UserMessage {
  readonly role: 'user';
  /** May be empty when there are tool results. */
  readonly content: string;
  /** Every call of the assistant message before must have its result here. */
  readonly toolResults?: readonly ToolResult[];
}

export interface AssistantMessage {
  readonly role: 'assistant';
  readonly content: string;
  readonly toolCalls?: readonly ToolCall[];
  /** The turn as its own model wrote it; only that model is shown it, others get `content` and `toolCalls`. */
  readonly original?: { readonly model: string; readonly content: unknown };
}

export type ModelMessage = UserMessage | AssistantMessage;

/**
 * A JSON schema that the answer must follow. Every property of every object must be required (nullable rather than optional),
 * because that is what all providers can enforce; the caller still validates the answer.
 */
export interface OutputSpec {
  readonly name: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

export interface ModelRequest {
  readonly role: ModelRole;
  /** The versioned texts that stay the same from call to call, so that providers can cache them; joined they are the system prompt. */
  readonly prompts: readonly Prompt[];
  readonly messages: readonly ModelMessage[];
  readonly tools?: readonly ToolSpec[];
  /** `auto` when absent. With `required`, an answer without a call counts as that model's failure. */
  readonly toolChoice?: 'auto' | 'required' | 'none';
  readonly output?: OutputSpec;
  /** Tokens the answer may take at most, the model's own thinking included. */
  readonly maxTokens: number;
  readonly signal: AbortSignal;
  /** Whose costs these are; null for what belongs to no incident. */
  readonly incidentId: number | null;
  /** Names of models that must not answer this, such as the one whose answer is to be judged. */
  readonly notModels?: readonly string[];
}

export type StopReason = 'end' | 'tool_calls' | 'length' | 'refusal' | 'other';

export interface TokenUsage {
  /** All tokens of the prompt, cached ones included. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Those of `inputTokens` that the provider read from its cache. */
  readonly cachedInputTokens: number;
}

/** Why an answer is not the first choice's own: a ceiling is near, or nobody answered and a stored answer to the same question did. */
export type Degraded = 'cheaper_model' | 'stored_answer';

export interface ModelAnswer {
  /** As the configuration calls it. */
  readonly model: string;
  readonly text: string;
  /** The answer parsed, when `output` was asked for and the model made no tool call; otherwise null. */
  readonly json: unknown;
  readonly toolCalls: readonly ToolCall[];
  readonly stopReason: StopReason;
  readonly usage: TokenUsage;
  readonly durationMs: number;
  /** In US dollars; null where no price is known. */
  readonly costUsd: number | null;
  /** The models that were tried or passed over before, and why, as `NAME: reason`. */
  readonly failedOver: readonly string[];
  readonly degraded: Degraded | null;
  /** SHA-256 of the system prompt, in hexadecimal. */
  readonly promptSha256: string;
  /** This answer as a message, to append before the tool results when the conversation goes on. Plain JSON. */
  readonly turn: AssistantMessage;
}

/** The way to whichever model answers. */
export interface Models {
  /** The name of each, in the order of the configuration; empty when none is configured. */
  readonly names: readonly string[];
  /**
   * The names of those that may answer a role, in their order; empty where nobody is to be asked. Left out with those of `notModels` are
   * the same models under other names or at other addresses: those that their providers call the same.
   */
  namesFor(role: ModelRole, notModels?: readonly string[]): readonly string[];
  /** How many tokens the smallest of those can read at once, in tokens; 0 where nobody is to be asked. */
  contextTokensFor(role: ModelRole): number;
  /**
   * Asks the models of the role by its strategy, the next one whenever a model fails, rests or has no room; then gives a stored
   * answer to the identical question, where there is one.
   * @throws NightshiftError `llm_failed` naming every model and why it did not answer, or when the caller's signal aborted;
   *   `spending_ceiling` when a ceiling of costs is reached; `invalid_config` or `internal` when no provider could be sent these
   *   tools or this schema.
   */
  ask(request: ModelRequest): Promise<ModelAnswer>;
}
